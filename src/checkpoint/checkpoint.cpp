#include "base/paths.h"
#include "checkpoint/safetensors.h"

namespace portwright::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The files that the index names, each once; refused outside the directory.
base::Result<std::vector<fs::path>> files_of_index(const fs::path& index) {
  auto text = base::read_file(index);
  if (!text) {
    return tl::unexpected(text.error());
  }
  const auto parsed = json::parse(*text, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("weight_map") ||
      !parsed["weight_map"].is_object()) {
    return base::fail(index.string() + ": no weight_map");
  }
  std::set<fs::path> files;
  for (const auto& [key, value] : parsed["weight_map"].items()) {
    if (!value.is_string()) {
      return base::fail(fmt::format(
          "{}: the file of '{}' is not a name", index.string(), key));
    }
    const fs::path file = value.get<std::string>();
    if (file.has_parent_path() || file.filename() == "..") {
      return base::fail(fmt::format(
          "{}: '{}' lies outside the checkpoint",
          index.string(),
          file.string()));
    }
    files.insert(index.parent_path() / file);
  }
  return std::vector<fs::path>(files.begin(), files.end());
}

base::Result<std::vector<fs::path>> files_of(const fs::path& directory) {
  const auto index = directory / "model.safetensors.index.json";
  std::error_code error;
  if (fs::exists(index, error)) {
    return files_of_index(index);
  }
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const auto file = entry.path().filename().string();
    if (file.starts_with("model") && file.ends_with(".safetensors")) {
      out.push_back(entry.path());
    }
  }
  if (error) {
    return base::fail(directory.string() + ": " + error.message());
  }
  if (out.empty()) {
    return base::fail(
        directory.string() + ": no model*.safetensors",
        "a checkpoint directory holds config.json and model*.safetensors");
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

base::Result<Checkpoint> Checkpoint::open(const fs::path& directory) {
  auto paths = files_of(directory);
  if (!paths) {
    return tl::unexpected(paths.error());
  }
  Checkpoint out;
  for (const auto& path : *paths) {
    auto file = SafetensorsFile::open(path);
    if (!file) {
      return tl::unexpected(file.error());
    }
    for (const auto& [key, view] : file->tensors()) {
      if (!out.tensors_.emplace(key, view).second) {
        return base::fail(fmt::format(
            "{}: tensor '{}' is in an earlier file too", path.string(), key));
      }
    }
    out.files_.push_back(std::move(*file));
  }
  return out;
}

}  // namespace portwright::checkpoint
