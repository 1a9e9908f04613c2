#include "base/paths.h"
#include "cli/compiling.h"
#include "cli/environment.h"
#include "cli/model_argument.h"
#include "cli/proving.h"
#include "cli/refusal.h"
#include "cli/verbs.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string model;
  std::string file;
  bool fast = false;
};

bool has_weights(const fs::path& directory) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".safetensors") {
      return true;
    }
  }
  return false;
}

/// The emitted text in real mlx_lm against torch: weights, logits, decode.
base::Result<verify::Results> prove_in_mlx_lm(
    const fs::path& checkpoint,
    const std::string& text,
    const fs::path& transformers,
    const Common& common,
    Console& console) {
  auto scratch = base::TemporaryDirectory::create("portwright-compile");
  if (!scratch) {
    return tl::unexpected(scratch.error());
  }
  const fs::path file = scratch->path() / "port.py";
  if (auto written = base::write_file(file, text); !written) {
    return tl::unexpected(written.error());
  }
  const auto environment = worker_environment(common);
  if (!environment) {
    return tl::unexpected(environment.error());
  }
  const auto workers = verify::Workers::start(*environment);
  if (!workers) {
    return tl::unexpected(workers.error());
  }
  verify::Subject subject;
  subject.checkpoint = checkpoint;
  subject.port = file;
  verify::BatteryOptions battery;
  battery.mode = verify::Mode::Quick;
  return prove(*workers, subject, battery, transformers, console);
}

ExitCode
run_compile(const Options& options, const Common& common, Console& console) {
  const auto transformers = transformers_directory(common);
  if (!transformers) {
    return console.fail(transformers.error());
  }
  const auto packages = mlx_packages();
  if (!packages) {
    return console.fail(packages.error());
  }
  const auto directory = model_directory(options.model, common, console);
  if (!directory) {
    return console.fail(directory.error());
  }
  const fs::path file = fs::absolute(options.file);
  console.progress().begin("compiling " + options.model);
  eval::Interpreter interp;
  const auto compiled =
      compile_checkpoint(interp, directory->path, *transformers, *packages);
  console.progress().end();
  if (!compiled) {
    return refuse(console, compiled.error());
  }
  if (!compiled->emitted.holes.empty()) {
    return refuse_with_draft(console, *compiled, file);
  }
  using candidate::Verdict;
  if (compiled->proof.verdict == Verdict::Failed ||
      compiled->proof.verdict == Verdict::Guarded) {
    return report_disproof(console, *compiled, file);
  }
  nlohmann::ordered_json worker = nullptr;
  ExitCode code = ExitCode::Done;
  if (!options.fast && has_weights(directory->path)) {
    const auto results = prove_in_mlx_lm(
        directory->path,
        compiled->emitted.text,
        *transformers,
        common,
        console);
    if (!results) {
      return console.fail(results.error());
    }
    show_results(*results, console);
    worker = {{"by", "mlx_lm"}, {"verdict", name(results->verdict())}};
    code = exit_code_of(*results);
  }
  if (auto written = base::write_file(file, compiled->emitted.text); !written) {
    return console.fail(written.error());
  }
  console.say(fmt::format(
      "{}: {} in {:.0f} ms, {}{}",
      options.file,
      compiled->model_type,
      compiled->total_ms,
      compiled->proof.verdict == Verdict::Passed
          ? fmt::format("proven (worst {:.1g})", compiled->proof.worst)
          : "not proven in process: " + compiled->proof.reason,
      worker.is_null() ? "; not yet run in mlx_lm" : ""));
  console.result(
      {{"schema", 1},
       {"file", file.string()},
       {"model_type", compiled->model_type},
       {"proof",
        {{"in_process", to_json(compiled->proof)}, {"worker", worker}}},
       {"holes", nlohmann::json::array()},
       {"guards", compiled->emitted.guards},
       {"milliseconds",
        {{"total", compiled->total_ms},
         {"record", compiled->timings.record},
         {"emit", compiled->timings.emit},
         {"prove", compiled->proof.milliseconds}}}});
  return code;
}

}  // namespace

Run verb_compile(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  app.add_option("model", options->model, "a checkpoint or a model type")
      ->type_name("MODEL")
      ->required();
  app.add_option("-o", options->file, "the file to write")
      ->type_name("FILE.py")
      ->required();
  app.add_flag("--fast", options->fast, "prove in process only, not in mlx_lm");
  return [options, &common](Console& console) {
    return run_compile(*options, common, console);
  };
}

}  // namespace portwright::cli
