#include "emit/layout.h"

#include "diagnostics/diagnostic.h"
#include "emit/layout/blank_lines.h"
#include "emit/layout/build.h"
#include "emit/layout/features.h"
#include "emit/layout/generate.h"
#include "emit/layout/imports.h"
#include "emit/layout/split.h"
#include "syntax/parser.h"

namespace portwright::emit {

using namespace printing;

namespace {

base::Result<syntax::Tree> parse(std::string source) {
  auto parsed = syntax::parse_module("<emitted>", std::move(source));
  if (!parsed.diagnostics.empty()) {
    const auto& fault = parsed.diagnostics.front();
    return base::fail(to_string(fault.span) + ": " + fault.message, fault.hint);
  }
  return std::move(parsed.tree);
}

std::string print(Module& module, bool has_newline) {
  const int version = least_version(*module.root);
  const Features features{
      .comma_after_star_in_call = version >= 5,
      .comma_after_star_in_def = version >= 6};
  BlankLines out;
  generate_lines(*module.tree, module.root, [&](Line& line) {
    out.add(line);
    Lines parts;
    split_line(*module.tree, std::move(line), features, parts);
    std::string text;
    for (const Line& part : parts) {
      text += part.text();
      text += '\n';
    }
    out.set_text(std::move(text));
  });
  const std::string text = out.text();
  return text.empty() && has_newline ? "\n" : text;
}

base::Result<std::string> print_once(std::string source) {
  auto tree = parse(std::move(source));
  if (!tree) {
    return tl::unexpected(tree.error());
  }
  auto module = build(*tree);
  if (!module) {
    return tl::unexpected(module.error());
  }
  const bool has_newline =
      tree->source->text().find('\n') != std::string_view::npos;
  return print(*module, has_newline);
}

}  // namespace

base::Result<std::string> layout(std::string_view source) {
  auto tree = parse(std::string(source));
  if (!tree) {
    return tl::unexpected(tree.error());
  }
  // Commas that the first pass puts in are magic ones to the second.
  auto once = print_once(sort_imports(*tree));
  return once ? print_once(std::move(*once)) : once;
}

}  // namespace portwright::emit
