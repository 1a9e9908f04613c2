#include <filesystem>
#include <fstream>
#include <sstream>

#include "eval/frame.h"
#include "eval/parsed_files.h"
#include "eval/state.h"

namespace portwright::eval {

namespace fs = std::filesystem;

namespace {

struct Found {
  const ModuleSource* source = nullptr;  // of ours, or ...
  std::string file;                      // ... on disc
  bool is_package = false;
  explicit operator bool() const {
    return source || !file.empty();
  }
};

bool is_file(const fs::path& path) {
  std::error_code ec;
  return fs::is_regular_file(path, ec);
}

Found find_module(Interpreter::State& state, const std::string& name) {
  if (auto it = state.sources.find(name); it != state.sources.end()) {
    return {&it->second, "", it->second.is_package};
  }
  for (const auto& [package, folder] : state.packages) {
    if (name != package && !name.starts_with(package + ".")) {
      continue;
    }
    fs::path path = folder;
    if (name.size() > package.size()) {
      std::string rest = name.substr(package.size() + 1);
      std::replace(rest.begin(), rest.end(), '.', '/');
      path /= rest;
    }
    if (is_file(path / "__init__.py")) {
      return {nullptr, (path / "__init__.py").string(), true};
    }
    path += ".py";
    if (is_file(path)) {
      return {nullptr, path.string(), false};
    }
  }
  return {};
}

/// As diagnostics name it.
std::string path_of(const Found& found, const std::string& module) {
  return found.source ? "<portwright>/" + module : found.file;
}

std::string read_file(Interpreter& interp, const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) {
    interp.refuse(
        diagnostics::Kind::UnsupportedImport,
        "cannot read " + path,
        "check that the file exists and is readable");
  }
  return std::move(text).str();
}

const syntax::Tree&
parse(Interpreter& interp, const std::string& path, std::string text) {
  auto parsed = syntax::parse_module(path, std::move(text));
  auto& trees = interp.state().trees;
  trees.push_back(std::move(parsed.tree));
  if (!parsed.diagnostics.empty()) {
    throw Refusal{parsed.diagnostics.front()};
  }
  return trees.back();
}

const syntax::Tree&
parse_once(Interpreter& interp, const std::string& path, std::string text) {
  ParsedFiles& files = ParsedFiles::instance();
  if (auto known = files.find(path, text)) {
    interp.state().trees.push_back(std::move(*known));
    return interp.state().trees.back();
  }
  std::string copy = text;
  const syntax::Tree& tree = parse(interp, path, std::move(text));
  files.keep(path, std::move(copy), tree);
  return tree;
}

Ref<ModuleObject>
new_module(const std::string& name, const std::string& file, bool is_package) {
  auto module = make<ModuleObject>(name, file);
  module->is_package = is_package;
  module->attrs->set(names().file, str(file));
  module->attrs->set(
      names().package,
      str(is_package
              ? name
              : name.substr(
                    0,
                    name.find('.') == std::string::npos ? 0
                                                        : name.rfind('.'))));
  return module;
}

}  // namespace

void Interpreter::register_native_module(std::string name, ModuleBody body) {
  state_->sources[std::move(name)] = {std::move(body), {}, true};
}

void Interpreter::register_source_module(
    std::string name,
    std::string_view text,
    bool is_package) {
  state_->sources[std::move(name)] = {nullptr, text, is_package};
}

void Interpreter::register_package(std::string name, std::string directory) {
  auto& packages = state_->packages;
  std::erase_if(packages, [&](const auto& p) { return p.first == name; });
  packages.emplace_back(std::move(name), std::move(directory));
}

void parse_ahead(Interpreter& interp, const std::vector<std::string>& modules) {
  std::vector<ParsedFiles::Ahead> files;
  for (const std::string& name : modules) {
    const Found found = find_module(interp.state(), name);
    if (found && !(found.source && found.source->body)) {
      files.push_back({path_of(found, name), {}});
      if (found.source) {
        files.back().text = found.source->text;
      }
    }
  }
  ParsedFiles::instance().parse_ahead(files);
}

bool Interpreter::can_import(std::string_view name) {
  const std::string key(name);
  return state_->modules.contains(key) ||
         static_cast<bool>(find_module(*state_, key));
}

Ref<ModuleObject> Interpreter::import_module(std::string_view name) {
  const std::string key(name);
  if (auto it = state_->modules.find(key); it != state_->modules.end()) {
    return it->second;
  }
  // A native package may register what lies in it.
  const std::string parent = key.substr(0, key.rfind('.'));
  if (auto it = state_->sources.find(parent);
      parent != key && it != state_->sources.end() && it->second.body) {
    import_module(parent);
  }
  const Found found = find_module(*state_, key);
  if (!found) {
    raise("ModuleNotFoundError", "No module named '" + key + "'");
  }
  charge();
  if (found.source && found.source->body) {
    auto module = new_module(key, "", true);
    state_->modules[key] = module;
    found.source->body(*this, *module);
    return module;
  }
  const std::string path = path_of(found, key);
  auto module = new_module(key, path, found.is_package);
  state_->modules[key] = module;
  try {
    const auto& tree = parse_once(
        *this,
        path,
        found.source ? std::string(found.source->text)
                     : read_file(*this, path));
    execute_module(*this, tree, module);
  } catch (...) {
    state_->modules.erase(key);
    throw;
  }
  return module;
}

Ref<ModuleObject>
Interpreter::run_source(std::string name, std::string path, std::string text) {
  auto module = new_module(name, path, false);
  state_->modules[name] = module;
  execute_module(*this, parse(*this, path, std::move(text)), module);
  return module;
}

Value resolve_lazy(Interpreter& interp, const Value& value) {
  if (!value.is(Kind::Lazy)) {
    return value;
  }
  Ref<Lazy> lazy = value.get<Lazy>();
  Value out = lazy->resolve(interp);
  return resolve_lazy(interp, out);
}

}  // namespace portwright::eval
