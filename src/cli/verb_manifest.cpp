#include "base/paths.h"
#include "cli/manifest.h"
#include "cli/run_facts.h"
#include "cli/verbs.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct ManifestOptions {
  std::vector<std::string> models;
  std::string output;
  std::string port;
  std::string repo_id;
  std::string notes;
  std::string repo;
  std::string branch;
  int pr = 0;
  int version = 2;
};

/// In gigabytes, as many digits as tell anything.
std::optional<double> size_of_weights(const fs::path& checkpoint) {
  uintmax_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoint, error)) {
    if (entry.path().extension() == ".safetensors") {
      bytes += entry.file_size(error);
    }
  }
  if (bytes == 0 || error) {
    return std::nullopt;
  }
  const double gigabytes = static_cast<double>(bytes) / 1e9;
  return std::stod(fmt::format("{:.2g}", gigabytes));
}

bool has_chat_template(const fs::path& checkpoint) {
  std::error_code ignored;
  if (fs::exists(checkpoint / "chat_template.jinja", ignored)) {
    return true;
  }
  const auto text = base::read_file(checkpoint / "tokenizer_config.json");
  const auto config = text ? json::parse(*text, nullptr, false) : json();
  return config.is_object() && config.contains("chat_template");
}

/// `path` seen from the manifest's folder.
std::string from_there(const fs::path& path, const fs::path& folder) {
  const auto relative =
      fs::absolute(path).lexically_normal().lexically_relative(folder);
  return relative.empty() ? fs::absolute(path).string() : relative.string();
}

/// A checkpoint, or what `port` wrote: a folder with one in checkpoint/.
fs::path checkpoint_in(const std::string& model) {
  std::error_code ignored;
  const fs::path inner = fs::path(model) / "checkpoint";
  return fs::is_regular_file(inner / "config.json", ignored) ? inner
                                                             : fs::path(model);
}

ManifestVariant describe(
    const std::string& model,
    const ManifestOptions& options,
    const fs::path& folder) {
  ManifestVariant out;
  out.model = model;
  std::error_code ignored;
  if (fs::is_directory(model, ignored)) {
    const auto checkpoint = checkpoint_in(model);
    out.model = options.repo_id.empty() ? from_there(checkpoint, folder)
                                        : options.repo_id;
    out.type = has_chat_template(checkpoint) ? "instruct" : "base";
    out.memory_gb = size_of_weights(checkpoint);
    out.expected_dtype = dtype_in_config(checkpoint);
  }
  return out;
}

/// A folder's own name, or what the types and the Hub say.
std::string plain_name(const std::string& model) {
  std::error_code ignored;
  const auto path = fs::absolute(model).lexically_normal();
  return model_type_of(
      !fs::is_directory(model, ignored) ? model
      : path.has_filename()             ? path.filename().string()
                            : path.parent_path().filename().string());
}

/// The file that `port` wrote beside a checkpoint.
std::string port_in(const std::string& model, const std::string& model_type) {
  std::error_code ignored;
  const auto file = fs::path(model) / (model_type + ".py");
  return fs::is_regular_file(file, ignored) ? file.string() : "";
}

Manifest manifest_by(const ManifestOptions& options, const fs::path& folder) {
  Manifest out;
  out.notes = options.notes;
  const auto& first = options.models.front();
  out.model_type = model_type_of(checkpoint_in(first).string());
  const auto port =
      options.port.empty() ? port_in(first, out.model_type) : options.port;
  if (!port.empty()) {
    out.port = from_there(port, folder);
    out.model_type = fs::path(port).stem().string();
  }
  std::map<std::string, int> names;
  for (const auto& model : options.models) {
    auto variant = describe(model, options, folder);
    const auto name = plain_name(model);
    const int seen = ++names[name];
    variant.name = seen == 1 ? name : fmt::format("{}-{}", name, seen);
    out.variants.push_back(std::move(variant));
  }
  if (options.pr > 0) {
    out.pr = {{"number", options.pr}};
  }
  for (const auto& [key, value] :
       {std::pair{"repo", options.repo}, {"branch", options.branch}}) {
    if (!value.empty()) {
      out.pr[key] = value;
    }
  }
  return out;
}

ExitCode write_manifest(const ManifestOptions& options, Console& console) {
  const fs::path file = fs::absolute(options.output).lexically_normal();
  std::error_code ignored;
  for (const auto& model : options.models) {
    if (fs::is_directory(model, ignored) &&
        !fs::is_regular_file(checkpoint_in(model) / "config.json", ignored)) {
      return console.fail(
          {model + " has no config.json",
           "a checkpoint, or what `port` wrote, is meant"});
    }
  }
  if (!options.port.empty()) {
    if (const auto readable = base::read_file(options.port); !readable) {
      return console.fail(readable.error());
    }
  }
  const auto manifest = manifest_by(options, file.parent_path());
  const auto text = manifest_text(manifest, options.version);
  if (!text) {
    return console.fail(text.error(), ExitCode::Usage);
  }
  if (auto written = base::write_file(file, *text); !written) {
    return console.fail(written.error());
  }
  console.say(fmt::format(
      "{} names {} of {}",
      options.output,
      manifest.variants.size() == 1
          ? "one model"
          : fmt::format("{} models", manifest.variants.size()),
      manifest.model_type));
  console.result(
      {{"schema", 1},
       {"file", file.string()},
       {"manifest", to_json(manifest)}});
  return ExitCode::Done;
}

}  // namespace

Run verb_manifest(CLI::App& app, const Common&) {
  auto options = std::make_shared<ManifestOptions>();
  app.add_option(
         "models",
         options->models,
         "what `port` wrote, checkpoints, model types or ids of the Hub")
      ->type_name("MODEL")
      ->required();
  app.add_option("-o", options->output, "where the manifest goes")
      ->type_name("FILE.yaml")
      ->required();
  app.add_option("--port", options->port, "the file to verify")
      ->type_name("FILE.py");
  app.add_option("--notes", options->notes, "what a reviewer should know");
  app.add_option("--pr", options->pr, "number of the pull request")
      ->check(CLI::PositiveNumber);
  app.add_option("--repo", options->repo, "its repository");
  app.add_option("--branch", options->branch, "its branch");
  app.add_option(
      "--repo-id", options->repo_id, "what the Hub calls the directory MODEL");
  app.add_option("--format", options->version, "version of the format: 2, or 1")
      ->check(CLI::IsMember({1, 2}));
  return
      [options](Console& console) { return write_manifest(*options, console); };
}

}  // namespace portwright::cli
