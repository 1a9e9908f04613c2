#include "cli/model_argument.h"

namespace portwright::cli {

namespace fs = std::filesystem;

base::Result<ModelDirectory> model_directory(
    const std::string& model,
    const Common& common,
    Console& console) {
  std::error_code error;
  if (fs::is_directory(model, error)) {
    if (!fs::is_regular_file(fs::path(model) / "config.json", error)) {
      return base::fail(
          model + " has no config.json",
          "a checkpoint directory as save_pretrained writes it is meant");
    }
    return ModelDirectory{fs::absolute(model), std::nullopt};
  }
  if (model.find('/') != std::string::npos) {
    return base::fail(
        model + ": no such directory",
        "a local directory or a transformers model type is meant");
  }
  const auto environment = worker_environment(common);
  if (!environment) {
    return tl::unexpected(environment.error());
  }
  auto folder = base::TemporaryDirectory::create("portwright-model");
  if (!folder) {
    return tl::unexpected(folder.error());
  }
  console.progress().begin("making a tiny checkpoint of " + model);
  auto worker = verify::start_reference(*environment);
  if (!worker) {
    return tl::unexpected(worker.error());
  }
  const auto made = verify::synthesize(*worker, model, folder->path(), {});
  console.progress().end();
  if (!made) {
    return base::fail(
        made.error().message,
        "a local directory or a model type of the installed transformers is "
        "meant");
  }
  const fs::path path = folder->path();
  return ModelDirectory{path, std::move(*folder)};
}

}  // namespace portwright::cli
