#include "cli/run_facts.h"

#include "base/digest.h"
#include "base/machine.h"
#include "base/paths.h"
#include "verify/plan.h"

namespace portwright::cli {

namespace fs = std::filesystem;
using nlohmann::json;
using Json = nlohmann::ordered_json;

namespace {

json config_of(const fs::path& checkpoint) {
  const auto text = base::read_file(checkpoint / "config.json");
  return text ? json::parse(*text, nullptr, false) : json();
}

/// Of every file of a checkpoint but the code that we may have put there.
base::Result<Json> file_digests(const fs::path& checkpoint) {
  std::map<std::string, std::string> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoint, error)) {
    const auto name = entry.path().filename().string();
    if (!entry.is_regular_file() || entry.path().extension() == ".py") {
      continue;
    }
    if (auto config = config_of(checkpoint);
        name == "config.json" && config.is_object()) {
      config.erase("model_file");
      out[name] = base::digest_of(config.dump());
      continue;
    }
    auto digest = base::digest_of_file(entry.path());
    if (!digest) {
      return tl::unexpected(digest.error());
    }
    out[name] = *digest;
  }
  return Json(out);
}

/// The prompts of the battery.
Json inputs_of(const json& config) {
  const auto plan = verify::make_plan(config);
  return {
      {"ids", plan.ids},
      {"prefill", plan.prefill},
      {"batch", plan.batch},
      {"batch_steps", plan.batch_steps},
      {"far", plan.far},
      {"far_prefill", plan.far_prefill}};
}

base::Result<Json> variant_facts(
    const ManifestVariant& variant,
    const Brought& brought) {
  Json out = {{"name", variant.name}, {"model", variant.model}};
  if (brought.path.empty()) {
    out["missing"] = brought.missing;
    return out;
  }
  auto files = file_digests(brought.path);
  if (!files) {
    return files;
  }
  out["files"] = std::move(*files);
  if (const auto config = config_of(brought.path); config.is_object()) {
    out["inputs"] = inputs_of(config);
  }
  return out;
}

Json hardware() {
  const auto machine = base::this_machine();
  return {
      {"system", machine.system},
      {"architecture", machine.architecture},
      {"processor", machine.processor},
      {"cores", machine.cores},
      {"memory_bytes", machine.memory_bytes}};
}

}  // namespace

base::Result<Json> facts_of_run(
    const Verification& asked,
    const std::vector<Brought>& brought,
    const std::map<std::string, std::string>& versions,
    const Common& common) {
  Json manifest = to_json(asked.manifest);
  manifest.erase("port");
  Json subject = {
      {"manifest", std::move(manifest)},
      {"port", nullptr},
      {"mlx_lm", nullptr}};
  if (const auto& port = asked.manifest.port; !port.empty()) {
    const auto digest = base::digest_of_file(port);
    if (!digest) {
      return tl::unexpected(digest.error());
    }
    subject["port"] = *digest;
  }
  if (asked.commit) {
    subject["mlx_lm"] = asked.commit->clone.string();
    subject["branch"] = asked.commit->branch;
    subject["commit"] = asked.commit->digest;
  } else if (asked.mlx_lm) {
    subject["mlx_lm"] = asked.mlx_lm->string();
  }
  subject["versions"] = versions;
  subject["versions"]["portwright"] = PORTWRIGHT_VERSION;
  for (size_t i = 0; i < brought.size(); ++i) {
    auto one = variant_facts(asked.manifest.variants[i], brought[i]);
    if (!one) {
      return one;
    }
    subject["variants"].push_back(std::move(*one));
  }
  Json checkpoints = Json::object();
  for (size_t i = 0; i < brought.size(); ++i) {
    checkpoints[asked.manifest.variants[i].name] = brought[i].path.string();
  }
  std::error_code ignored;
  return Json{
      {"schema", 1},
      {"command", common.arguments},
      {"directory", fs::current_path(ignored).string()},
      {"port", asked.manifest.port},
      {"checkpoints", checkpoints},
      {"transformers", asked.transformers.string()},
      {"reference_python", common.reference_python},
      {"subject", subject},
      {"hardware", hardware()},
      {"binary", base::digest_of_file(base::executable_path()).value_or("")}};
}

std::string dtype_in_config(const fs::path& checkpoint) {
  const auto config = config_of(checkpoint);
  const auto inner = config.is_object() && config.contains("text_config")
                         ? config["text_config"]
                         : json();
  for (const auto& object : {config, inner}) {
    for (const char* key : {"dtype", "torch_dtype"}) {
      if (object.is_object() && object.contains(key) &&
          object[key].is_string()) {
        const auto text = object[key].get<std::string>();
        return text.substr(text.rfind('.') + 1);  // "torch.bfloat16"
      }
    }
  }
  return "";
}

}  // namespace portwright::cli
