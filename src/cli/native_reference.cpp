#include "cli/native_reference.h"

#include <fmt/format.h>
#include <mlx/mlx.h>

#include <algorithm>
#include <vector>

#include "base/paths.h"
#include "checkpoint/safetensors.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
namespace mx = mlx::core;
using nlohmann::json;

/// Written when all the others are there.
constexpr const char* kLast = "failures.json";

/// FNV-1a: names a cache entry, guards nothing.
class Fingerprint {
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes) {
      value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
  }
  std::string text() const {
    return fmt::format("{:016x}", value_);
  }

 private:
  uint64_t value_ = 0xcbf29ce484222325ULL;
};

json rows(const IdTable& table) {
  json out = json::array();
  for (int r = 0; r < table.rows; ++r) {
    const auto begin = table.values.begin() + r * table.columns;
    out.push_back(std::vector<int64_t>(begin, begin + table.columns));
  }
  return out;
}

base::Result<std::string> key_of(
    verify::WorkerProcess& worker,
    const fs::path& checkpoint,
    const std::string& dtype) {
  Fingerprint key;
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoint, error)) {
    const auto extension = entry.path().extension();
    if (extension == ".json" || extension == ".safetensors") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    const auto bytes = base::read_file(file);
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    key.add(file.filename().string());
    key.add(*bytes);
  }
  const auto versions = worker.request("ping", json::object());
  if (!versions) {
    return base::fail(versions.error().message, versions.error().detail);
  }
  const Probe probe = native_probe();
  if (dtype != kExact) {
    key.add(dtype);
  }
  key.add(versions->dump() + rows(probe.full).dump());
  key.add(rows(probe.batch).dump() + rows(probe.mask).dump());
  return key.text();
}

mx::array to_array(const checkpoint::TensorView& view) {
  const auto floats = checkpoint::to_floats(view);
  return mx::array(
      floats->data(), mx::Shape(view.shape.begin(), view.shape.end()));
}

/// The metadata's {key: dtype}; empty where it has none.
std::map<std::string, std::string> dtypes_of(
    const checkpoint::SafetensorsFile& file) {
  const auto found = file.metadata().find("dtypes");
  const auto dtypes = json::parse(
      found == file.metadata().end() ? "" : found->second, nullptr, false);
  std::map<std::string, std::string> out;
  for (const auto& [key, dtype] : dtypes.items()) {
    if (dtype.is_string()) {
      out.emplace(key, dtype);
    }
  }
  return out;
}

/// Asks the worker for every part and leaves the answers in `folder`.
base::Result<void> compute(
    verify::WorkerProcess& worker,
    const fs::path& checkpoint,
    const fs::path& folder,
    const std::string& dtype,
    base::Milliseconds timeout) {
  const Probe probe = native_probe();
  json failures = json::object();
  const auto ask = [&](const std::string& part, const char* op, json request) {
    request["model"] = "native";
    request["out"] = (folder / (part + ".safetensors")).string();
    const auto answer = worker.request(op, std::move(request), timeout);
    if (!answer) {
      failures[part] = answer.error().message;
    }
    return answer || answer.error().where != verify::Trouble::Where::World;
  };
  const auto loaded = worker.request(
      "load",
      {{"model", "native"}, {"folder", checkpoint.string()}, {"dtype", dtype}},
      timeout);
  if (!loaded) {
    return base::fail(loaded.error().message, loaded.error().detail);
  }
  json full = {{"ids", rows(probe.full)}};
  if (dtype != kExact) {
    full["capture"] = ".*";
  }
  const bool alive =
      ask("full", "forward", full) &&
      ask("batch",
          "forward",
          {{"ids", rows(probe.batch)}, {"mask", rows(probe.mask)}}) &&
      ask("decode",
          "decode",
          {{"ids", rows(probe.full)}, {"prefill", probe.prefill}});
  if (!alive) {
    return base::fail("the reference worker ended", failures.dump());
  }
  (void)worker.request("unload", {{"model", "native"}});
  return base::write_file(folder / kLast, failures.dump());
}

}  // namespace

Probe native_probe() {
  Probe out;
  out.full = {1, 14, {}};
  for (int i = 0; i < out.full.columns; ++i) {
    out.full.values.push_back((i * 37 + 11) % 256);
  }
  out.prefill = 9;
  const int padding = 3;
  out.batch = out.mask = {2, out.prefill, {}};
  for (int i = 0; i < out.batch.rows * out.batch.columns; ++i) {
    const bool padded = i >= out.prefill && i < out.prefill + padding;
    out.mask.values.push_back(padded ? 0 : 1);
    out.batch.values.push_back(padded ? 0 : out.full.values[i % out.prefill]);
  }
  return out;
}

base::Result<fs::path> keep_reference(
    verify::WorkerProcess& worker,
    const fs::path& checkpoint,
    const std::string& dtype,
    base::Milliseconds timeout) {
  const auto key = key_of(worker, checkpoint, dtype);
  const auto cache = base::cache_directory();
  if (!key || !cache) {
    return tl::unexpected(key ? cache.error() : key.error());
  }
  fs::path folder = *cache / "references" / *key;
  std::error_code error;
  if (!fs::exists(folder / kLast, error)) {
    if (auto made = base::make_directories(folder); !made) {
      return tl::unexpected(made.error());
    }
    if (auto made = compute(worker, checkpoint, folder, dtype, timeout);
        !made) {
      return tl::unexpected(made.error());
    }
  }
  return folder;
}

base::Result<NativeReference> read_reference(const fs::path& folder) {
  NativeReference out;
  const auto text = base::read_file(folder / kLast);
  const auto failures = json::parse(text ? *text : "", nullptr, false);
  if (!failures.is_object()) {
    return base::fail(folder.string() + " is damaged", "remove it");
  }
  for (const auto& [part, reason] : failures.items()) {
    out.failures[part] = reason.get<std::string>();
  }
  for (const std::string part : {"full", "batch", "decode"}) {
    if (out.failures.contains(part)) {
      continue;
    }
    const auto file =
        checkpoint::SafetensorsFile::open(folder / (part + ".safetensors"));
    if (!file) {
      return tl::unexpected(file.error());
    }
    const auto* view = file->find("logits");
    if (!view) {
      return base::fail(folder.string() + " is damaged", "remove it");
    }
    out.logits.emplace(part, to_array(*view));
    if (part == "full" && file->tensors().size() > 1) {
      out.dtypes = dtypes_of(*file);
    }
  }
  return out;
}

}  // namespace portwright::cli
