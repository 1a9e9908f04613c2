#include "base/interrupt.h"
#include "base/paths.h"
#include "base/pattern.h"
#include "candidate/source_map.h"
#include "cli/compiling.h"
#include "cli/environment.h"
#include "cli/proving.h"
#include "cli/refusal.h"
#include "cli/verbs.h"
#include "cli/verification.h"
#include "library/install.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;

struct PortOptions {
  std::string model;
  std::string directory;
  bool quick = false;
  bool full = false;
  bool trust_remote_code = false;
};

/// What a run adds to the world goes again when the run is interrupted or
/// fails before it has an answer: the first part of `out` that was not there.
class Unfinished {
 public:
  explicit Unfinished(const fs::path& out)
      : path_(first_missing({out, out / "checkpoint"})),
        on_interrupt_([path = path_] { remove(path); }) {}

  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  ~Unfinished() {
    remove(path_);
  }

  void keep() {
    path_.clear();
    on_interrupt_ = base::OnInterrupt();
  }

 private:
  static fs::path first_missing(const std::vector<fs::path>& paths) {
    std::error_code ignored;
    for (const auto& path : paths) {
      if (!fs::exists(path, ignored)) {
        return path;
      }
    }
    return {};
  }

  static void remove(const fs::path& path) {
    std::error_code ignored;
    if (!path.empty()) {
      fs::remove_all(path, ignored);
    }
  }

  fs::path path_;
  base::OnInterrupt on_interrupt_;
};

/// Copies what a checkpoint consists of: weights, config, tokenizer, the code
/// it brings.
base::Result<void> copy_checkpoint(const fs::path& from, const fs::path& to) {
  if (auto made = base::make_directories(to); !made) {
    return made;
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(from, error)) {
    const auto extension = entry.path().extension();
    if (!entry.is_regular_file() || extension == ".bin" ||
        extension == ".pth") {
      continue;
    }
    fs::copy_file(
        entry.path(),
        to / entry.path().filename(),
        fs::copy_options::overwrite_existing,
        error);
    if (error) {
      break;
    }
  }
  if (error) {
    return base::fail(
        "cannot copy " + from.string() + " to " + to.string() + ": " +
            error.message(),
        "check the space and the permissions there");
  }
  return {};
}

/// True for a directory with weights of a kind that is read.
bool brings_weights(const fs::path& directory) {
  std::error_code error;
  const fs::directory_iterator files(directory, error);
  return std::any_of(begin(files), end(files), [](const auto& entry) {
    const auto extension = entry.path().extension();
    return extension == ".safetensors" || extension == ".bin";
  });
}

/// MODEL as a checkpoint in `folder`: copied, or made for a model type or a
/// config without weights.
base::Result<void> bring_checkpoint(
    const PortOptions& options,
    verify::Workers& workers,
    const fs::path& folder) {
  std::error_code ignored;
  const bool local = fs::exists(options.model, ignored);
  if (brings_weights(options.model)) {
    return copy_checkpoint(fs::absolute(options.model), folder);
  }
  const auto made = verify::synthesize(
      workers.reference,
      local ? fs::absolute(options.model).string() : options.model,
      folder,
      {.trust_remote_code = options.trust_remote_code},
      workers.timeout);
  if (!made) {
    const bool hub = options.model.find('/') != std::string::npos;
    const bool world = made.error().where == verify::Trouble::Where::World;
    return base::fail(
        made.error().message,
        world   ? made.error().detail
        : local ? "the weights that a config lacks are made by transformers; "
                  "code of its own is run with --trust-remote-code alone"
        : hub   ? "without the network only local directories and model types "
                  "work"
                : "a local directory or a model type of the installed "
                  "transformers is meant");
  }
  return {};
}

/// The model file beside the weights, and config.json naming it.
base::Result<void> install_model_file(
    const fs::path& checkpoint,
    const std::string& name,
    const std::string& text) {
  // Loaded on its own, the file is no member of mlx_lm's package.
  static const base::Pattern kRelative(R"re((^|\n)from \.)re");
  const std::string absolute = kRelative.replace(text, "$1from mlx_lm.models.");
  if (auto written = base::write_file(checkpoint / name, absolute); !written) {
    return written;
  }
  auto bytes = base::read_file(checkpoint / "config.json");
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  auto config = nlohmann::ordered_json::parse(*bytes, nullptr, false);
  if (config.is_discarded()) {
    return base::fail(
        "config.json of " + checkpoint.string() + " is not valid JSON",
        "repair the file");
  }
  config["model_file"] = name;
  return base::write_file(checkpoint / "config.json", config.dump(2) + "\n");
}

/// For the report: what each line of the port stands for. It goes without where
/// the evaluator cannot tell.
std::vector<report::SourceLink> source_links(
    eval::Interpreter& interp,
    const Compiled& compiled) {
  std::vector<report::SourceLink> out;
  const auto map = candidate::map_sources(
      interp, compiled.emitted.text, configs_of(compiled));
  if (!map) {
    return out;
  }
  for (const auto& [line, sources] : *map) {
    for (const auto& source : sources) {
      out.push_back({line, source.file, source.line});
    }
  }
  return out;
}

/// "llama.py".
std::string port_name(const fs::path& checkpoint) {
  const auto config = library::read_config(checkpoint);
  return (config ? config->value("model_type", "") : "") + ".py";
}

/// MODEL as it was named, so that the run can be repeated from there; the
/// checkpoint that was made where it had no weights.
Manifest manifest_of(
    const PortOptions& options,
    const Compiled& compiled,
    const fs::path& checkpoint,
    const fs::path& port) {
  std::error_code ignored;
  Manifest out;
  out.model_type = compiled.model_type;
  out.port = port;
  out.mode = options.quick ? "quick" : options.full ? "full" : "normal";
  out.trust_remote_code = options.trust_remote_code;
  ManifestVariant variant;
  variant.name = compiled.model_type;
  const bool local = fs::exists(options.model, ignored);
  const fs::path lies =
      brings_weights(options.model) ? fs::path(options.model) : checkpoint;
  variant.model =
      local ? fs::absolute(lies).lexically_normal().string() : options.model;
  out.variants.push_back(std::move(variant));
  return out;
}

ExitCode
run_port(const PortOptions& options, const Common& common, Console& console) {
  const fs::path out = fs::absolute(options.directory);
  Unfinished unfinished(out);
  if (auto made = base::make_directories(out); !made) {
    return console.fail(made.error());
  }
  const auto transformers = transformers_directory(common);
  if (!transformers) {
    return console.fail(transformers.error());
  }
  const auto packages = mlx_packages();
  if (!packages) {
    return console.fail(packages.error());
  }
  const auto environment = worker_environment(common);
  if (!environment) {
    return console.fail(environment.error());
  }
  console.progress().begin("starting torch and mlx_lm");
  const auto workers = verify::Workers::start(*environment);
  if (!workers) {
    return console.fail(workers.error());
  }
  const fs::path checkpoint = out / "checkpoint";
  if (auto brought = bring_checkpoint(options, **workers, checkpoint);
      !brought) {
    return console.fail(brought.error());
  }
  console.progress().begin("compiling " + options.model);
  eval::Interpreter interp;
  auto fillings = Fillings::beside(out / port_name(checkpoint));
  if (!fillings) {
    return console.fail(fillings.error());
  }
  const auto compiled = compile_checkpoint(
      interp, {checkpoint, *transformers, *packages}, &*fillings);
  if (!compiled) {
    console.progress().end();
    return refuse(console, compiled.error());
  }
  const std::string name = port_name(checkpoint);
  if (!compiled->emitted.holes.empty()) {
    console.progress().end();
    unfinished.keep();
    return refuse_with_draft(console, *compiled, *fillings, options.model);
  }
  if (auto written =
          write_port(*fillings, *compiled, out / name, options.model);
      !written) {
    return console.fail(written.error());
  }
  fillings->tell(compiled->refilled, console);
  if (auto installed =
          install_model_file(checkpoint, name, compiled->emitted.text);
      !installed) {
    return console.fail(installed.error());
  }
  Verification asked;
  asked.manifest = manifest_of(options, *compiled, checkpoint, out / name);
  asked.directory = out;
  asked.transformers = *transformers;
  asked.checkpoints = {{asked.manifest.variants[0].name, checkpoint}};
  // Before the battery, which has an evaluator of its own: one at a time.
  asked.links = source_links(interp, *compiled);
  const auto done = verify_port(*workers, asked, common, console);
  if (!done) {
    return console.fail(done.error());
  }
  unfinished.keep();
  show_run(done->run, console);
  console.say(fmt::format(
      "{} compiled in {:.0f} ms; the report is {}",
      (fs::path(options.directory) / name).string(),
      compiled->total_ms,
      (fs::path(options.directory) / "report.html").string()));
  nlohmann::ordered_json answer = report::to_json(done->run);
  answer["file"] = (out / name).string();
  answer["checkpoint"] = checkpoint.string();
  answer["results"] = done->archive.string();
  answer["guards"] = compiled->emitted.guards;
  answer["fillings"] = fillings->to_json(compiled->refilled);
  console.result(answer);
  return exit_code_of(done->run.verdict());
}

}  // namespace

Run verb_port(CLI::App& app, const Common& common) {
  auto options = std::make_shared<PortOptions>();
  app.add_option("model", options->model, "a local directory or a model type")
      ->type_name("MODEL")
      ->required();
  app.add_option("-o", options->directory, "where the port goes")
      ->type_name("DIR")
      ->required();
  auto* quick =
      app.add_flag("--quick", options->quick, "weights, logits, decode");
  app.add_flag("--full", options->full, "also what takes long")
      ->excludes(quick);
  app.add_flag(
      "--trust-remote-code",
      options->trust_remote_code,
      "let transformers run code that comes with the model");
  return [options, &common](Console& console) {
    return run_port(*options, common, console);
  };
}

}  // namespace portwright::cli
