#include "library/model_packages.h"

#include <algorithm>
#include <filesystem>

#include "base/paths.h"
#include "syntax/parser.h"

namespace portwright::library {
namespace {

namespace fs = std::filesystem;
using eval::Interpreter;
using eval::ModuleObject;
using eval::Value;

/// Whether the text has `name` at the start of a line: `class name`,
/// `def name` or `name =`.
bool defines(std::string_view text, std::string_view name) {
  for (std::string_view keyword : {"class ", "def ", ""}) {
    const std::string wanted = "\n" + std::string(keyword) + std::string(name);
    for (size_t at = text.find(wanted); at != std::string_view::npos;
         at = text.find(wanted, at + 1)) {
      const size_t end = at + wanted.size();
      const char next = end < text.size() ? text[end] : '\n';
      if (keyword.empty() ? (next == ' ' || next == ':')
                          : (next == '(' || next == ':')) {
        return true;
      }
    }
  }
  return false;
}

std::vector<fs::path> definition_files(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".py") &&
        (name.starts_with("configuration_") || name.starts_with("modeling_"))) {
      out.push_back(entry.path());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// A name may be absent because its file is cut off: importing such a file
/// ends in the syntax error that a reader needs to see.
void report_damage(
    Interpreter& interp,
    const std::string& module,
    const fs::path& folder) {
  for (const fs::path& file : definition_files(folder)) {
    auto text = base::read_file(file);
    if (text && !syntax::parse_module(file.string(), std::move(*text))
                     .diagnostics.empty()) {
      interp.import_module(module + "." + file.stem().string());
    }
  }
}

Value find_name(
    Interpreter& interp,
    const std::string& module,
    const fs::path& folder,
    base::Symbol name) {
  if (name.str().starts_with("__") ||
      interp.can_import(module + "." + name.str())) {
    return {};
  }
  for (const fs::path& file : definition_files(folder)) {
    const auto text = base::read_file(file);
    if (text && defines(*text, name.str())) {
      const Value found{
          interp.import_module(module + "." + file.stem().string())};
      return interp.getattr(found, name);
    }
  }
  report_damage(interp, module, folder);
  return {};
}

/// The packages in `parent`; once imported, those in them (models.deprecated).
void register_packages(
    Interpreter& interp,
    const fs::path& parent,
    const std::string& prefix) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    if (!entry.is_directory(error)) {
      continue;
    }
    const fs::path folder = entry.path();
    const std::string name = prefix + "." + folder.filename().string();
    interp.register_native_module(
        name, [name, folder](Interpreter& interp, ModuleObject& module) {
          module.getattr = [name, folder, found = module.attrs](
                               Interpreter& interp, base::Symbol attribute) {
            Value value = find_name(interp, name, folder, attribute);
            if (value.defined()) {
              found->set(attribute, value);
            }
            return value;
          };
          register_packages(interp, folder, name);
        });
  }
}

}  // namespace

void register_model_packages(
    Interpreter& interp,
    const std::string& transformers_dir) {
  interp.register_native_module(
      "transformers.models", [](Interpreter&, ModuleObject&) {});
  register_packages(
      interp, fs::path(transformers_dir) / "models", "transformers.models");
}

}  // namespace portwright::library
