#include "cli/environment.h"

#include <cstdlib>
#include <sstream>

#include "base/paths.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

base::Result<std::string> our_python() {
  std::string path = variable("PORTWRIGHT_PYTHON");
  if (path.empty()) {
    return base::fail(
        "no Python environment",
        "start portwright by its launcher, or set PORTWRIGHT_PYTHON to a "
        "Python that has torch, transformers and mlx-lm");
  }
  return path;
}

base::Result<std::string> reference_python(const Common& common) {
  if (common.reference_python.empty()) {
    return our_python();
  }
  return common.reference_python;
}

base::Result<fs::path> transformers_directory(const Common& common) {
  const bool chosen = !common.transformers.empty();
  const std::string given =
      chosen ? common.transformers : variable("PORTWRIGHT_TRANSFORMERS");
  if (given.empty()) {
    return base::fail(
        "no transformers to read",
        "name its folder with --transformers, or start portwright by its "
        "launcher");
  }
  const fs::path root(given);
  std::error_code ignored;
  for (const fs::path& folder :
       {root, root / "transformers", root / "src" / "transformers"}) {
    if (fs::is_regular_file(folder / "modeling_utils.py", ignored)) {
      return fs::absolute(folder, ignored).lexically_normal();
    }
  }
  return base::fail(
      given + " holds no transformers",
      std::string(chosen ? "" : "PORTWRIGHT_TRANSFORMERS names it; ") +
          "the folder with modeling_utils.py, the one above it or a "
          "checkout's root is meant");
}

base::Result<candidate::Packages> mlx_packages() {
  const auto python = our_python();
  if (!python) {
    return tl::unexpected(python.error());
  }
  return candidate::find_packages(*python);
}

base::Result<verify::Environment> worker_environment(const Common& common) {
  const auto python = our_python();
  if (!python) {
    return tl::unexpected(python.error());
  }
  const auto reference = reference_python(common);
  if (!reference) {
    return tl::unexpected(reference.error());
  }
  const auto data = base::data_directory();
  if (!data) {
    return tl::unexpected(data.error());
  }
  return verify::Environment{*python, *reference, data->parent_path()};
}

std::vector<Pin> pins() {
  // "torch==2.13.0 numpy==2.4.6", from requirements.lock.
  std::istringstream words(PORTWRIGHT_PINS);
  std::vector<Pin> out;
  for (std::string word; words >> word;) {
    const size_t at = word.find("==");
    out.push_back({word.substr(0, at), word.substr(at + 2)});
  }
  return out;
}

}  // namespace portwright::cli
