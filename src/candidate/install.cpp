#include "candidate/install.h"

#include <map>

#include "base/paths.h"
#include "candidate/bridge.h"
#include "candidate/core_module.h"

namespace portwright::candidate {

namespace fs = std::filesystem;

std::string_view embedded_proving();

namespace {

/// Its prompt cache's budget of bytes, the default of a parameter, is a number
/// that our evaluator has no integer for; a smaller one is as good as none.
std::string_view cache_source(const fs::path& file) {
  static std::map<std::string, std::string> texts;
  std::string& text = texts[file.string()];
  if (text.empty()) {
    text = base::read_file(file).value_or("");
    if (const size_t at = text.find("1 << 63"); at != text.npos) {
      text.replace(at, 7, "1 << 62");
    }
  }
  return text;
}

}  // namespace

base::Result<Packages> find_packages(const fs::path& python) {
  std::error_code ignored;
  const fs::path lib = python.parent_path().parent_path() / "lib";
  for (const auto& entry : fs::directory_iterator(lib, ignored)) {
    const fs::path site = entry.path() / "site-packages";
    const Packages found{site / "mlx", site / "mlx_lm"};
    if (fs::is_directory(found.mlx / "nn", ignored) &&
        fs::is_regular_file(found.mlx_lm / "models" / "base.py", ignored)) {
      return found;
    }
  }
  return base::fail(
      "no mlx_lm beside " + python.string(),
      "its environment needs mlx and mlx-lm; bin/python of it is meant");
}

void install_mlx_lm(eval::Interpreter& interp, const Packages& packages) {
  install_mlx_core(interp);
  install_bridge(interp);
  interp.register_package("mlx.nn", (packages.mlx / "nn").string());
  interp.register_package("mlx.utils", (packages.mlx / "utils").string());
  interp.register_native_module(
      "mlx_lm", [](eval::Interpreter&, eval::ModuleObject&) {});
  interp.register_package(
      "mlx_lm.models", (packages.mlx_lm / "models").string());
  interp.register_source_module(
      "mlx_lm.models.cache",
      cache_source(packages.mlx_lm / "models" / "cache.py"));
  interp.register_source_module("portwright.proving", embedded_proving());
}

}  // namespace portwright::candidate
