#include "emit/yarn_magnitude.h"

#include <fmt/format.h>

#include "emit/variants.h"

namespace portwright::emit {

using nlohmann::json;

namespace {

constexpr const char* kFunction = "apply_yarn_mscale";
constexpr const char* kShare = "partial_rotary_factor";
constexpr const char* kOption = "mscale_all_dim";

/// `x = base * m * m` with yarn's magnitude m as `x = apply_yarn_mscale(base,
/// set)`; "" for other lines.
std::string rewritten(const std::string& line) {
  const std::string key = fmt::format("[\"{}\"]", kOption);
  const std::string opening = "(0.1 * ";
  const size_t at = line.rfind(key);
  const size_t open = at == std::string::npos ? at : line.rfind(opening, at);
  const size_t assigned = line.find(" = ");
  if (open == std::string::npos || assigned == std::string::npos) {
    return "";
  }
  const size_t begin = open + opening.size();
  const std::string set = line.substr(begin, at - begin);
  const std::string magnitude = fmt::format(
      " * {}{}{} * math.log({}[\"factor\"]) + 1.0)", opening, set, key, set);
  const std::string ending = magnitude + magnitude;
  if (!line.ends_with(ending)) {
    return "";
  }
  const size_t from = assigned + 3;
  const size_t length = line.size() - ending.size() - from;
  return fmt::format(
      "{}{}({}, {})",
      line.substr(0, from),
      kFunction,
      line.substr(from, length),
      set);
}

}  // namespace

bool reads_yarn_magnitude(const Evaluation& evaluation) {
  const base::SourceFile* file = own_file(evaluation);
  return file && file->text().find(kOption) != std::string_view::npos;
}

json with_yarn_magnitude(const Evaluation& evaluation, const json& config) {
  if (!reads_yarn_magnitude(evaluation)) {
    return nullptr;
  }
  json out = config;
  const bool nested = config.contains("rope_parameters");
  json& set = out[nested ? "rope_parameters" : "rope_scaling"];
  if (set.is_null()) {
    set = json::object();
  }
  if (!set.is_object() || set.value("rope_type", "default") != "default" ||
      set.value("type", "default") != "default") {
    return nullptr;
  }
  set.erase("type");
  set["rope_type"] = "yarn";
  set["factor"] = 4.0;
  set["original_max_position_embeddings"] = 64;
  set["mscale"] = 1.0;
  set[kOption] = 0.75;
  return out;
}

namespace {

/// Gives each line the text that `after` has for it, where that is not "".
void replace_lines(
    Context& draft,
    const std::function<std::string(const std::string&)>& after) {
  for (ClassText& text : draft.classes) {
    for (std::string& line : text.init) {
      if (std::string other = after(line); !other.empty()) {
        line = std::move(other);
      }
    }
  }
}

/// The library's yarn turns a share of each head, which the source's own ropes
/// may know nothing of: with another share than 1 one of them would not run.
void turn_whole_heads(const std::set<std::string>& known, Context& draft) {
  const std::string factor = fmt::format(" * args.{})", kShare);
  bool turned = false, left = false;
  replace_lines(draft, [&](const std::string& line) -> std::string {
    const size_t end = line.find(factor);
    const size_t begin =
        end == std::string::npos ? end : line.rfind("int(", end);
    if (begin == std::string::npos) {
      return "";
    }
    const std::string whole = line.substr(0, begin) +
                              line.substr(begin + 4, end - begin - 4) +
                              line.substr(end + factor.size());
    const bool is_known = known.contains(whole);
    (is_known ? turned : left) = true;
    return is_known ? whole : "";
  });
  if (turned && !left) {
    draft.fields.erase(kShare);
  }
}

}  // namespace

void use_yarn_magnitude(const std::vector<Context*>& drafts) {
  std::map<std::string, std::string> forms;  // without it: with it
  for (Context* draft : drafts) {
    replace_lines(*draft, [&](const std::string& line) {
      const std::string form = rewritten(line);
      if (const size_t call = form.find(kFunction); call != form.npos) {
        const size_t base = form.find('(', call) + 1;
        const size_t end = form.rfind(", ");
        forms[form.substr(0, call) + form.substr(base, end - base)] = form;
      }
      return form;
    });
  }
  if (forms.empty()) {
    return;
  }
  std::set<std::string> known;
  for (const Context* draft : drafts) {
    for (const ClassText& text : draft->classes) {
      known.insert(text.init.begin(), text.init.end());
    }
  }
  for (Context* draft : drafts) {
    draft->imports.insert(fmt::format("rope_utils:{}", kFunction));
    replace_lines(*draft, [&](const std::string& line) {
      const auto form = forms.find(line);
      return form == forms.end() ? "" : form->second;
    });
    turn_whole_heads(known, *draft);
  }
}

}  // namespace portwright::emit
