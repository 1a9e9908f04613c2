#include "emit/emit.h"

#include "emit/model_writer.h"
#include "emit/operations.h"

namespace portwright::emit {

namespace {

std::string indented(const std::string& text) {
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = text.find('\n', at);
    end = end == std::string::npos ? text.size() : end;
    const std::string line = text.substr(at, end - at);
    out += line.empty() ? "\n" : "    " + line + "\n";
    at = end + 1;
  }
  return out;
}

std::string class_source(const ClassText& c) {
  std::string out = "class " + c.name + "(" + c.bases + "):\n";
  out += "    def __init__(self";
  for (const auto& p : c.init_params) {
    out += ", " + p;
  }
  out += "):\n        super().__init__()\n";
  for (const auto& line : c.init) {
    out += line.empty() ? "\n" : "        " + line + "\n";
  }
  out += "\n    def __call__(self";
  for (const auto& p : c.call_params) {
    out += ", " + p;
  }
  out += c.returns_tensor ? ") -> mx.array:\n" : "):\n";
  bool blank = true;  // no blank line first, none doubled
  for (const auto& line : c.call) {
    if (line.empty()) {
      out += blank ? "" : "\n";
      blank = true;
    } else {
      out += "        " + line + "\n";
      blank = false;
    }
  }
  for (const auto& m : c.methods) {
    out += "\n" + indented(m);
  }
  return out + "\n\n";
}

std::string import_lines(const Context& context, const std::string& body) {
  std::string out = "from dataclasses import dataclass\n";
  std::vector<std::string> typing;
  for (const char* name : {"Any", "Dict", "List", "Optional", "Union"}) {
    size_t at = 0;
    bool used = false;
    while ((at = body.find(name, at)) != std::string::npos) {
      const char after = body[at + std::string_view(name).size()];
      const char before = at ? body[at - 1] : ' ';
      used = used || (!std::isalnum(static_cast<unsigned char>(after)) &&
                      !std::isalnum(static_cast<unsigned char>(before)) &&
                      after != '_');
      ++at;
    }
    if (used) {
      typing.emplace_back(name);
    }
  }
  if (!typing.empty()) {
    out += "from typing import " + join(typing) + "\n";
  }
  out += "\nimport mlx.core as mx\nimport mlx.nn as nn\n\n";
  std::map<std::string, std::set<std::string>> local;
  local["base"].insert("BaseModelArgs");
  std::set<std::string> imports = context.imports;
  if (const size_t at = body.find("math.");
      at != std::string::npos && at > 0 &&
      !std::isalnum(static_cast<unsigned char>(body[at - 1])) &&
      body[at - 1] != '_') {
    imports.insert("math");  // what fields were computed with
  }
  for (const auto& entry : imports) {
    const size_t colon = entry.find(':');
    if (colon == std::string::npos) {  // a module of the standard library
      out = "import " + entry + "\n" + out;
      continue;
    }
    local[entry.substr(0, colon)].insert(entry.substr(colon + 1));
  }
  for (const auto& [module, names] : local) {
    out += "from ." + module + " import " + join({names.begin(), names.end()}) +
           "\n";
  }
  return out + "\n\n";
}

}  // namespace

Emitted emit_model(eval::Interpreter& interp, const Evaluation& evaluation) {
  Emitted out;
  Context context(interp, evaluation);
  try {
    write_model(context);
    const std::string sanitize = write_sanitize(context);
    if (!sanitize.empty()) {
      context.classes.back().methods.insert(
          context.classes.back().methods.begin(), sanitize);
    }
  } catch (const Hole& hole) {
    out.holes.push_back(hole.diagnostic);
  }
  std::string body;
  try {
    body = write_arguments(context, out.guards) + "\n\n";
  } catch (const Hole& hole) {
    out.holes.push_back(hole.diagnostic);
  }
  std::set<uint32_t> places;  // one hole a construct, not one a layer
  std::erase_if(context.holes, [&](const auto& hole) {
    return !places.insert(static_cast<uint32_t>(hole.span.begin)).second;
  });
  out.holes.insert(
      out.holes.begin(), context.holes.begin(), context.holes.end());
  body += write_rope_classes(context);
  for (const auto& c : context.classes) {
    body += class_source(c);
  }
  while (body.ends_with("\n\n")) {
    body.pop_back();
  }
  out.text = import_lines(context, body) + body;
  return out;
}

}  // namespace portwright::emit
