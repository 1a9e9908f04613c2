#include <fmt/format.h>

#include <iostream>

#include "base/interrupt.h"
#include "base/paths.h"
#include "cli/environment.h"
#include "cli/host_file.h"
#include "cli/proving.h"
#include "cli/verbs.h"
#include "cli/verification.h"
#include "report/changes.h"
#include "report/planted.h"
#include "verify/check.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kTimeout = 600;  // seconds

struct VerifyOptions {
  std::string model;
  std::string directory;
  std::string port;
  std::string mlx_lm;
  std::string branch;
  std::string manifest;
  std::string from;
  std::vector<std::string> checks;
  bool quick = false;
  bool full = false;
  bool resume = false;
  bool prove = false;
  bool trust_remote_code = false;
  std::string hosts;
  std::string scratch;
  double memory_gb = 0;
  bool stream = false;
  bool no_stream = false;
  std::optional<int> timeout;
};

/// What `compile --map` wrote beside a port.
std::vector<report::SourceLink> map_beside(const fs::path& port) {
  std::vector<report::SourceLink> out;
  const auto text = base::read_file(port.string() + ".map.json");
  const auto map =
      text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  if (!map.is_object() || !map.contains("lines") || !map.contains("files")) {
    return out;
  }
  for (const auto& [line, places] : map["lines"].items()) {
    for (const auto& place : places) {
      out.push_back(
          {std::atoi(line.c_str()),
           map["files"].at(place.at(0).get<size_t>()).get<std::string>(),
           place.at(1).get<int>()});
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

using Asked = tl::expected<Verification, ExitCode>;

/// One model, as the command line names it.
Manifest of_model(const std::string& model) {
  std::error_code ignored;
  Manifest out;
  const bool local = fs::is_directory(model, ignored);
  ManifestVariant variant;
  variant.model =
      local ? fs::absolute(model).lexically_normal().string() : model;
  out.model_type = model_type_of(model);
  variant.name = out.model_type;
  out.variants.push_back(std::move(variant));
  return out;
}

/// The run that RESULTS keeps, asked for again; `before` gets what it kept.
Asked asked_again(
    const VerifyOptions& options,
    report::Archived& before,
    Console& console) {
  const fs::path folder = fs::absolute(options.from).lexically_normal();
  auto archived = report::read_archive(folder);
  if (!archived) {
    return tl::unexpected(console.fail(archived.error()));
  }
  before = std::move(*archived);
  Verification out;
  try {
    const auto& subject = before.facts.at("subject");
    out.manifest = manifest_from_json(subject.at("manifest"));
    if (const auto mlx_lm = subject.at("mlx_lm"); mlx_lm.is_string()) {
      out.mlx_lm = mlx_lm.get<std::string>();
    }
    if (subject.contains("commit")) {
      out.commit =
          GitCommit{*out.mlx_lm, subject.at("branch"), subject.at("commit")};
    }
  } catch (const nlohmann::json::exception& error) {
    return tl::unexpected(console.fail(
        {(folder / "run.json").string() + ": " + error.what(),
         "the file is damaged"}));
  }
  const auto port = folder / "port.py";
  std::error_code ignored;
  if (!fs::exists(port, ignored) && options.port.empty()) {
    return tl::unexpected(console.fail(
        {folder.string() + " has no port.py", "name a file with --port"}));
  }
  out.manifest.port = port.string();
  auto& variants = out.manifest.variants;
  if (!options.model.empty() && variants.size() == 1) {
    variants[0].model = of_model(options.model).variants[0].model;
  }
  for (const auto& variant : variants) {
    if (fs::path(variant.model).is_absolute() &&
        !fs::is_directory(variant.model, ignored)) {
      return tl::unexpected(console.fail(
          {"the checkpoint of that run is gone: " + variant.model,
           "verify MODEL --from RESULTS says where it lies now"}));
    }
  }
  return out;
}

/// How to hold what may not fit, and the machines that may share it.
Asked with_memory(
    Verification out,
    const VerifyOptions& options,
    Console& console) {
  constexpr double kGigabyte = 1e9;
  out.memory = options.memory_gb * kGigabyte;
  out.timeout_fixed = options.timeout.has_value();
  out.streaming = options.stream      ? verify::Streaming::Always
                  : options.no_stream ? verify::Streaming::Never
                                      : verify::Streaming::WhereNeeded;
  if (!options.scratch.empty()) {
    out.scratch = fs::absolute(options.scratch).lexically_normal();
    if (auto made = base::make_directories(out.scratch); !made) {
      return tl::unexpected(console.fail(made.error()));
    }
  }
  if (!options.hosts.empty()) {
    auto hosts = read_host_file(options.hosts);
    if (!hosts) {
      return tl::unexpected(console.fail(hosts.error(), ExitCode::Usage));
    }
    out.hosts = std::move(*hosts);
  }
  return out;
}

/// The files of a branch, where one is asked for: by the option, else by the
/// pull request of a manifest whose mlx-lm is a clone.
base::Result<void>
take_branch(const VerifyOptions& options, Verification& out, Console& console) {
  if (!out.mlx_lm) {
    return {};
  }
  const auto& pr = out.manifest.pr;
  std::string branch = options.branch;
  if (branch.empty() && pr.is_object() && is_git_clone(*out.mlx_lm)) {
    branch = pr.value("branch", "");
  }
  if (out.commit) {
    branch = out.commit->digest;  // of the run that is repeated
  }
  if (branch.empty()) {
    return {};
  }
  auto commit = find_commit(*out.mlx_lm, branch);
  if (!commit) {
    return tl::unexpected(commit.error());
  }
  if (out.commit) {
    commit->branch = out.commit->branch;
  }
  const auto short_digest = commit->digest.substr(0, 12);
  const auto folder = out.directory / ("mlx-lm-" + short_digest);
  if (auto written = write_package(*commit, folder); !written) {
    return written;
  }
  console.say(fmt::format(
      "mlx_lm as of {} ({}) in {}",
      commit->branch,
      short_digest,
      commit->clone.string()));
  out.mlx_lm = folder;
  out.commit = std::move(*commit);
  return {};
}

/// What to verify, from wherever it is named.
Asked asked_by(
    const VerifyOptions& options,
    report::Archived& before,
    Console& console) {
  Verification out;
  if (!options.from.empty()) {
    auto again = asked_again(options, before, console);
    if (!again) {
      return again;
    }
    out = std::move(*again);
  } else if (!options.manifest.empty()) {
    auto manifest = read_manifest(options.manifest, console);
    if (!manifest) {
      return tl::unexpected(manifest.error());
    }
    out.manifest = std::move(*manifest);
  } else {
    out.manifest = of_model(options.model);
  }
  auto& manifest = out.manifest;
  if (!options.port.empty()) {
    manifest.port = fs::absolute(options.port).lexically_normal();
  }
  if (options.quick || options.full) {
    manifest.mode = options.quick ? "quick" : "full";
  }
  if (!options.checks.empty()) {
    manifest.checks = options.checks;
  }
  manifest.trust_remote_code |= options.trust_remote_code;
  if (!options.mlx_lm.empty()) {
    out.mlx_lm = fs::absolute(options.mlx_lm);
  }
  if (!manifest.port.empty()) {
    if (const auto readable = base::read_file(manifest.port); !readable) {
      return tl::unexpected(console.fail(readable.error()));
    }
    out.links = map_beside(manifest.port);
  }
  out.directory = fs::absolute(options.directory).lexically_normal();
  if (auto taken = take_branch(options, out, console); !taken) {
    return tl::unexpected(console.fail(taken.error(), ExitCode::Usage));
  }
  out.resume = options.resume;
  out.prove = options.prove;
  return with_memory(std::move(out), options, console);
}

/// Says what is otherwise than in the run that was repeated, and keeps it.
base::Result<void> tell_changes(
    const report::Archived& before,
    const Verified& done,
    const fs::path& directory,
    nlohmann::ordered_json& answer,
    Console& console) {
  const auto changes = report::changes_between(before, done.run);
  for (const auto& line : report::changes_text(changes)) {
    console.say(line);
  }
  answer["changes"] = changes;
  for (const auto& folder : {directory, done.archive}) {
    auto written =
        base::write_file(folder / "changes.json", changes.dump(2) + "\n");
    if (!written) {
      return written;
    }
  }
  return {};
}

ExitCode tell(
    const VerifyOptions& options,
    const report::Archived& before,
    const Verified& done,
    Console& console) {
  const fs::path directory = fs::absolute(options.directory);
  show_run(done.run, console);
  auto answer = report::to_json(done.run);
  if (!done.planted.empty()) {
    if (auto written = report::write_planted(done.planted, directory);
        !written) {
      return console.fail(written.error());
    }
    show_planted(done.planted, console);
    answer["planted"] = report::planted_json(done.planted);
  }
  if (!options.from.empty()) {
    auto told = tell_changes(before, done, directory, answer, console);
    if (!told) {
      return console.fail(told.error());
    }
  }
  console.result(answer);
  const bool missed = std::any_of(
      done.planted.begin(),
      done.planted.end(),
      [](const verify::PlantedBug& bug) {
        return bug.status == verify::Catch::NotCaught;
      });
  return missed ? ExitCode::VerdictFailed : exit_code_of(done.run.verdict());
}

std::optional<base::Error> misuse(const VerifyOptions& options) {
  const auto unknown = verify::unknown_checks(options.checks);
  if (!unknown.empty()) {
    return usage_error(unknown);
  }
  if (options.model.empty() && options.manifest.empty() &&
      options.from.empty()) {
    return base::Error{
        "nothing to verify", "name a MODEL, or give --manifest or --from"};
  }
  if (!options.model.empty() && !options.manifest.empty()) {
    return base::Error{
        "MODEL and --manifest exclude each other",
        "a manifest names its models"};
  }
  return std::nullopt;
}

ExitCode run_verify(
    const VerifyOptions& options,
    const Common& common,
    Console& console) {
  if (const auto error = misuse(options)) {
    return console.fail(*error, ExitCode::Usage);
  }
  report::Archived before;
  auto asked = asked_by(options, before, console);
  if (!asked) {
    return asked.error();
  }
  if (auto made = base::make_directories(options.directory); !made) {
    return console.fail(made.error());
  }
  const auto transformers = transformers_directory(common);
  if (!transformers) {
    return console.fail(transformers.error());
  }
  asked->transformers = *transformers;
  auto environment = worker_environment(common);
  if (!environment) {
    return console.fail(environment.error());
  }
  environment->timeout =
      std::chrono::seconds(options.timeout.value_or(kTimeout));
  console.progress().begin("starting torch and mlx_lm");
  const auto workers = verify::Workers::start(*environment, asked->mlx_lm);
  if (!workers) {
    return console.fail(workers.error());
  }
  const base::OnInterrupt on_interrupt([&] {
    std::cerr << "\ninterrupted: " << options.directory
              << " holds what is known; with --resume the same command goes "
                 "on\n";
  });
  const auto done = verify_port(*workers, *asked, common, console);
  return done ? tell(options, before, *done, console)
              : console.fail(done.error());
}

}  // namespace

Run verb_verify(CLI::App& app, const Common& common) {
  auto options = std::make_shared<VerifyOptions>();
  app.add_option("model", options->model, "a local directory or a model type")
      ->type_name("MODEL");
  app.add_option("-o", options->directory, "where results and report go")
      ->type_name("DIR")
      ->required();
  auto* port = app.add_option("--port", options->port, "the file to verify")
                   ->type_name("FILE.py");
  auto* mlx_lm =
      app.add_option("--mlx-lm", options->mlx_lm, "an mlx-lm to verify instead")
          ->type_name("DIR")
          ->excludes(port);
  app.add_option(
         "--branch",
         options->branch,
         "of that clone of mlx-lm; its work tree stays as it is")
      ->type_name("NAME")
      ->needs(mlx_lm);
  auto* manifest = app.add_option(
                          "--manifest",
                          options->manifest,
                          "models and port, as YAML names them")
                       ->type_name("FILE.yaml");
  app.add_option(
         "--from",
         options->from,
         "repeat a run that was kept, and say what changed")
      ->type_name("RESULTS")
      ->excludes(manifest);
  app.add_option("--checks", options->checks, "only these")->delimiter(',');
  auto* quick =
      app.add_flag("--quick", options->quick, "weights, logits, decode");
  app.add_flag("--full", options->full, "also what takes long")
      ->excludes(quick);
  app.add_flag(
      "--resume",
      options->resume,
      "go on with a run of the same port and models that did not finish");
  app.add_flag(
      "--prove",
      options->prove,
      "plant bugs into a port that passes, and count those that are caught");
  app.add_option("--timeout", options->timeout, "seconds a worker may take")
      ->check(CLI::PositiveNumber);
  auto* stream = app.add_flag(
      "--stream",
      options->stream,
      "stream the weights, as is done where both sides do not fit");
  app.add_flag(
         "--no-stream",
         options->no_stream,
         "leave a model that does not fit unproven")
      ->excludes(stream);
  app.add_option(
         "--memory", options->memory_gb, "GB to use; else what the machine has")
      ->type_name("GB")
      ->check(CLI::PositiveNumber);
  app.add_option(
         "--scratch",
         options->scratch,
         "where streamed weights lie; else the folder of the results")
      ->type_name("DIR");
  app.add_option(
         "--hosts",
         options->hosts,
         "machines that share the port, as mlx.launch --hostfile reads them")
      ->type_name("FILE.json");
  app.add_flag(
      "--trust-remote-code",
      options->trust_remote_code,
      "let transformers run code that comes with the model");
  return [options, &common](Console& console) {
    return run_verify(*options, common, console);
  };
}

}  // namespace portwright::cli
