#include <fmt/format.h>

#include <sstream>

#include "base/paths.h"
#include "cli/environment.h"
#include "cli/proving.h"
#include "cli/verbs.h"
#include "report/planted.h"
#include "verify/check.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;

struct VerifyOptions {
  std::string model;
  std::string directory;
  std::string port;
  std::string mlx_lm;
  std::vector<std::string> checks;
  bool quick = false;
  bool full = false;
  bool prove = false;
  bool trust_remote_code = false;
  int timeout = 600;
};

/// A directory as it is; anything else is a type, and a checkpoint of it is
/// made in `directory`.
base::Result<fs::path> resolve_model(
    const VerifyOptions& options,
    verify::Workers& workers) {
  std::error_code ignored;
  if (fs::is_directory(options.model, ignored)) {
    return fs::absolute(options.model);
  }
  const auto folder = fs::absolute(options.directory) / "checkpoint";
  const auto made = verify::synthesize(
      workers.reference, options.model, folder, {}, workers.timeout);
  if (!made) {
    const bool hub = options.model.find('/') != std::string::npos;
    return base::fail(
        made.error().message,
        hub ? "without the network only local directories and model types work"
            : made.error().detail);
  }
  return folder;
}

/// What `compile --map` wrote beside a port: of each line the first it stands
/// for.
std::map<int, std::pair<std::string, int>> map_beside(const fs::path& port) {
  std::map<int, std::pair<std::string, int>> out;
  const auto text = base::read_file(port.string() + ".map.json");
  const auto map =
      text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  if (!map.is_object() || !map.contains("lines") || !map.contains("files")) {
    return out;
  }
  for (const auto& [line, places] : map["lines"].items()) {
    if (!places.empty()) {
      const auto file = map["files"].at(places[0].at(0).get<size_t>());
      out[std::atoi(line.c_str())] = {file, places[0].at(1).get<int>()};
    }
  }
  return out;
}

base::Error usage_error(const std::vector<std::string>& unknown) {
  std::vector<std::string_view> names;
  for (const auto& check : verify::all_checks()) {
    names.push_back(check.name);
  }
  return {
      fmt::format("there is no check `{}`", unknown.front()),
      fmt::format("checks are {}", fmt::join(names, ", "))};
}

ExitCode run_verify(
    const VerifyOptions& options,
    const Common& common,
    Console& console) {
  const auto unknown = verify::unknown_checks(options.checks);
  if (!unknown.empty()) {
    return console.fail(usage_error(unknown), ExitCode::Usage);
  }
  if (!options.port.empty()) {
    if (const auto readable = base::read_file(options.port); !readable) {
      return console.fail(readable.error());
    }
  }
  if (auto made = base::make_directories(options.directory); !made) {
    return console.fail(made.error());
  }
  const auto transformers = transformers_directory(common);
  if (!transformers) {
    return console.fail(transformers.error());
  }
  auto environment = worker_environment(common);
  if (!environment) {
    return console.fail(environment.error());
  }
  environment->timeout = std::chrono::seconds(options.timeout);
  console.progress().begin("starting torch and mlx_lm");
  const auto workers = verify::Workers::start(
      *environment,
      options.mlx_lm.empty()
          ? std::nullopt
          : std::optional<fs::path>(fs::absolute(options.mlx_lm)));
  if (!workers) {
    return console.fail(workers.error());
  }
  const auto checkpoint = resolve_model(options, **workers);
  if (!checkpoint) {
    return console.fail(checkpoint.error());
  }
  verify::Subject subject;
  subject.checkpoint = *checkpoint;
  subject.trust_remote_code = options.trust_remote_code;
  if (!options.port.empty()) {
    subject.port = fs::absolute(options.port);
    subject.source_map = map_beside(*subject.port);
  }
  verify::BatteryOptions battery;
  battery.mode = options.quick  ? verify::Mode::Quick
                 : options.full ? verify::Mode::Full
                                : verify::Mode::Normal;
  battery.only = options.checks;
  std::vector<verify::PlantedBug> planted;
  auto results = prove(
      *workers,
      subject,
      battery,
      *transformers,
      console,
      options.prove ? &planted : nullptr);
  if (!results) {
    return console.fail(results.error());
  }
  const report::Report report{std::move(*results), {}};
  if (auto written = report::write_report(report, options.directory);
      !written) {
    return console.fail(written.error());
  }
  show_results(report.results, console);
  auto answer = report::to_json(report.results);
  if (!planted.empty()) {
    if (auto written = report::write_planted(planted, options.directory);
        !written) {
      return console.fail(written.error());
    }
    show_planted(planted, console);
    answer["planted"] = report::planted_json(planted);
  }
  console.result(answer);
  const bool missed = std::any_of(
      planted.begin(), planted.end(), [](const verify::PlantedBug& bug) {
        return bug.status == verify::Catch::NotCaught;
      });
  return missed ? ExitCode::VerdictFailed : exit_code_of(report.results);
}

}  // namespace

Run verb_verify(CLI::App& app, const Common& common) {
  auto options = std::make_shared<VerifyOptions>();
  app.add_option("model", options->model, "a local directory or a model type")
      ->type_name("MODEL")
      ->required();
  app.add_option("-o", options->directory, "where results and report go")
      ->type_name("DIR")
      ->required();
  auto* port = app.add_option("--port", options->port, "the file to verify")
                   ->type_name("FILE.py");
  app.add_option("--mlx-lm", options->mlx_lm, "an mlx-lm to verify instead")
      ->type_name("DIR")
      ->excludes(port);
  app.add_option("--checks", options->checks, "only these")->delimiter(',');
  auto* quick =
      app.add_flag("--quick", options->quick, "weights, logits, decode");
  app.add_flag("--full", options->full, "also what takes long")
      ->excludes(quick);
  app.add_flag(
      "--prove",
      options->prove,
      "plant bugs into a port that passes, and count those that are caught");
  app.add_option("--timeout", options->timeout, "seconds a worker may take")
      ->check(CLI::PositiveNumber);
  app.add_flag(
      "--trust-remote-code",
      options->trust_remote_code,
      "let transformers run code that comes with the model");
  return [options, &common](Console& console) {
    return run_verify(*options, common, console);
  };
}

}  // namespace portwright::cli
