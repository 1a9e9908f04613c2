#include "base/paths.h"
#include "candidate/source_map.h"
#include "cli/compiling.h"
#include "cli/environment.h"
#include "cli/model_argument.h"
#include "cli/proving.h"
#include "cli/refusal.h"
#include "cli/run_views.h"
#include "cli/verbs.h"
#include "library/install.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;

struct CompileOptions {
  std::string model;
  std::string file;
  std::string dump;  // "ast", "trace", "lifted" or empty
  bool fast = false;
  bool map = false;
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

/// Exit code 1: what was filled in is not proven. FILE stays as it was.
ExitCode report_unproven(
    Console& console,
    const Compiled& compiled,
    const Fillings& fillings,
    const nlohmann::ordered_json& worker,
    ExitCode code) {
  console.say(
      "what was filled in is not proven" +
      (worker.is_null() ? ": " + compiled.proof.reason : "") + "; it is in " +
      fillings.draft_path().string());
  console.result(
      {{"schema", 1},
       {"file", nullptr},
       {"draft", fillings.draft_path().string()},
       {"model_type", compiled.model_type},
       {"proof", {{"in_process", to_json(compiled.proof)}, {"worker", worker}}},
       {"holes", nlohmann::json::array()},
       {"fillings", fillings.to_json(compiled.refilled)},
       {"guards", compiled.emitted.guards}});
  return code;
}

/// FILE.map.json: the lines of the source that each line stands for.
base::Result<void> write_map(
    eval::Interpreter& interp,
    const Compiled& compiled,
    const fs::path& file) {
  const auto map = candidate::map_sources(
      interp, compiled.emitted.text, configs_of(compiled));
  if (!map) {
    return base::fail("no source map: " + map.error().message);
  }
  fs::path beside = file;
  beside += ".map.json";
  return base::write_file(beside, to_json(*map).dump(1) + "\n");
}

/// Tells what a stage before the file made of the model.
ExitCode
dump(const CompileOptions& options, const Sources& sources, Console& console) {
  const auto config = library::read_config(sources.checkpoint);
  if (!config) {
    return refuse(console, config.error());
  }
  eval::Interpreter interp;
  install(interp, sources);
  const auto recording = emit::record(interp, *config);
  if (!recording) {
    return refuse(console, recording.error());
  }
  std::string text;
  if (options.dump == "ast") {
    const auto tree = dump_syntax(interp, recording->evaluation.model);
    if (!tree) {
      return console.fail(tree.error());
    }
    text = *tree;
  } else if (options.dump == "trace") {
    text = trace::print(*recording->trace);
  } else {
    const auto lifted = emit::print_lifted(interp, *recording);
    if (!lifted) {
      return refuse(console, lifted.error());
    }
    text = *lifted;
  }
  console.say(text);
  console.result({{"schema", 1}, {options.dump, text}});
  return ExitCode::Done;
}

ExitCode run_compile(
    const CompileOptions& options,
    const Common& common,
    Console& console) {
  if (options.file.empty() == options.dump.empty()) {
    return console.fail(
        {"either -o or --dump says what is wanted"}, ExitCode::Usage);
  }
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
  const Sources sources{directory->path, *transformers, *packages};
  if (!options.dump.empty()) {
    return dump(options, sources, console);
  }
  const fs::path file = fs::absolute(options.file);
  auto fillings = Fillings::beside(file);
  if (!fillings) {
    return console.fail(fillings.error());
  }
  console.progress().begin("compiling " + options.model);
  eval::Interpreter interp;
  const auto compiled = compile_checkpoint(interp, sources, &*fillings);
  console.progress().end();
  if (!compiled) {
    return refuse(console, compiled.error());
  }
  if (!compiled->emitted.holes.empty()) {
    return refuse_with_draft(console, *compiled, *fillings, options.model);
  }
  using candidate::Verdict;
  if (compiled->refilled) {
    if (auto left = fillings->leave(*compiled, std::nullopt, options.model);
        !left) {
      return console.fail(left.error());
    }
    fillings->tell(compiled->refilled, console);
  }
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
    code = exit_code_of(results->verdict());
  }
  if (compiled->refilled && code == ExitCode::Done && worker.is_null() &&
      compiled->proof.verdict != Verdict::Passed) {
    code = ExitCode::VerdictFailed;
  }
  if (compiled->refilled && code != ExitCode::Done) {
    return report_unproven(console, *compiled, *fillings, worker, code);
  }
  if (auto written = write_port(*fillings, *compiled, file, options.model);
      !written) {
    return console.fail(written.error());
  }
  if (options.map) {
    if (auto mapped = write_map(interp, *compiled, file); !mapped) {
      return console.fail(mapped.error());
    }
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
       {"fillings", fillings->to_json(compiled->refilled)},
       {"guards", compiled->emitted.guards},
       {"variants", compiled->variants},
       {"milliseconds",
        {{"total", compiled->total_ms},
         {"read", compiled->timings.read},
         {"record", compiled->timings.record},
         {"lift", compiled->timings.lift},
         {"emit", compiled->timings.emit},
         {"prove", compiled->prove_ms}}}});
  return code;
}

}  // namespace

Run verb_compile(CLI::App& app, const Common& common) {
  auto options = std::make_shared<CompileOptions>();
  app.add_option("model", options->model, "a checkpoint or a model type")
      ->type_name("MODEL")
      ->required();
  app.add_option("-o", options->file, "the file to write")
      ->type_name("FILE.py");
  app.add_option(
         "--dump",
         options->dump,
         "instead of a file: the source as read, what it did, or what is "
         "recognised in that")
      ->check(CLI::IsMember({"ast", "trace", "lifted"}));
  app.add_flag(
      "--map", options->map, "also FILE.py.map.json: each line's source lines");
  app.add_flag("--fast", options->fast, "prove in process only, not in mlx_lm");
  return [options, &common](Console& console) {
    return run_compile(*options, common, console);
  };
}

}  // namespace portwright::cli
