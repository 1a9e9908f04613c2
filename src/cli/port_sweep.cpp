#include "cli/port_sweep.h"

#include <fmt/format.h>

#include <chrono>
#include <mutex>

#include "base/jobs.h"
#include "base/paths.h"
#include "base/subprocess.h"
#include "cli/coverage_files.h"
#include "cli/environment.h"
#include "cli/worker_slot.h"
#include "library/install.h"
#include "report/report.h"
#include "verify/battery.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Proof = PortSweep::Proof;
using report::Coverage;
using report::CoverageRow;

/// What compiling and proving one type may take: in process, and with torch
/// and mlx_lm beside.
constexpr size_t kPortBytes = size_t{1} << 30;
constexpr size_t kProofBytes = size_t{3} << 30;

/// What a file must show in mlx_lm to be called a port: every tensor used, the
/// same logits prefilled at once, in pieces, step by step, past the windows,
/// and for unequal prompts together.
const std::vector<std::string> kProof = {
    "weights",
    "logits",
    "decode",
    "chunked_prefill",
    "rotating_cache",
    "batch"};

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string hole_text(const Json& answer) {
  const Json& holes = answer["holes"];
  std::string out = first_line(holes[0].value("message", ""));
  return holes.size() > 1
             ? fmt::format("{} (and {} more)", out, holes.size() - 1)
             : out;
}

/// What a `compile --json` of one type said.
void judge(CoverageRow& row, const base::Output& done) {
  const Json answer = Json::parse(done.out, nullptr, false);
  const bool readable = answer.is_object();
  if (readable) {
    for (const char* key :
         {"holes", "guards", "variants", "proof", "milliseconds"}) {
      if (answer.contains(key)) {
        row.details[key] = answer[key];
      }
    }
  }
  const auto refused = static_cast<int>(ExitCode::Refused);
  if (done.status.ok() && readable) {
    const Json& proof = answer["proof"]["in_process"];
    const bool passed = proof["verdict"] == "passed";
    row.status = passed ? "ported" : "failed";
    row.reason = passed ? "" : proof.value("reason", "");
    if (passed) {
      row.errors["in process"] = proof.value("worst", 0.0);
    }
  } else if (
      done.status.code == refused && readable && answer.contains("holes")) {
    row.status = "refused";
    row.reason = hole_text(answer);
  } else {
    row.status = "failed";
    row.reason =
        readable && answer.contains("proof")
            ? answer["proof"]["in_process"].value("reason", "")
            : base::to_string(done.status) + ": " + first_line(done.err);
  }
}

bool is_worse(verify::Status status) {
  return status == verify::Status::Fail || status == verify::Status::Untrusted;
}

/// What real mlx_lm and torch said of a file.
void judge(CoverageRow& row, const verify::Results& results) {
  const auto verdict = results.verdict();
  row.status = verdict == verify::Status::Fail ? "wrong"
               : is_worse(verdict)             ? "unjudged"
                                               : "proven";
  Json checks = Json::object();
  for (const auto& check : results.checks) {
    checks[check.name] = {
        {"status", name(check.status)}, {"reason", check.reason}};
    const bool proof =
        std::find(kProof.begin(), kProof.end(), check.name) != kProof.end();
    if (proof && check.value) {
      row.errors[check.name] = check.value;
    }
    const bool told = is_worse(verdict) ? check.status == verdict
                                        : check.status == verify::Status::Warn;
    if (told) {
      row.reason += fmt::format(
          "{}{}: {}",
          row.reason.empty() ? "" : "; ",
          check.name,
          first_line(check.reason));
    }
  }
  row.details["checks"] = std::move(checks);
}

/// One sweep's state: its slots take types from it and give rows back.
class Sweep {
 public:
  Sweep(
      const PortSweep& options,
      const Common& common,
      Console& console,
      const verify::Environment& environment,
      fs::path files,
      Coverage& table)
      : options_(options),
        common_(common),
        console_(console),
        files_(std::move(files)),
        table_(table) {
    const size_t bytes =
        options.proof == Proof::InProcess ? kPortBytes : kProofBytes;
    const size_t jobs = options.jobs > 0 ? static_cast<size_t>(options.jobs)
                                         : base::jobs_at_once(bytes);
    for (size_t i = 0; i < jobs; ++i) {
      slots_.emplace_back(environment);
    }
  }

  base::Result<void> run() {
    const auto types = missing_types(options_.types, table_);
    count_ = types.size();
    base::run_jobs(types.size(), slots_.size(), [&](size_t slot, size_t index) {
      finish(sweep(slots_[slot], types[index]));
    });
    sort_by_name(table_);
    if (written_ && !options_.directory.empty()) {
      written_ = write_coverage(table_, options_.directory);
    }
    return written_;
  }

 private:
  CoverageRow sweep(WorkerSlot& slot, const std::string& type);
  base::Result<void>
  make_checkpoint(WorkerSlot& slot, const std::string& type, const fs::path&);
  void compile(CoverageRow& row, const fs::path& checkpoint);
  base::Result<verify::Results>
  prove(WorkerSlot& slot, const std::string& type, const fs::path& checkpoint);
  void finish(CoverageRow row);

  base::Milliseconds limit() const {
    return std::chrono::seconds(options_.limit_seconds);
  }

  fs::path port_of(const std::string& type) const {
    return files_ / "ports" / (type + ".py");
  }

  const PortSweep& options_;
  const Common& common_;
  Console& console_;
  fs::path files_;
  std::vector<WorkerSlot> slots_;
  size_t count_ = 0;
  std::mutex mutex_;  // for everything below, and the console
  Coverage& table_;
  size_t finished_ = 0;
  base::Result<void> written_;
};

CoverageRow Sweep::sweep(WorkerSlot& slot, const std::string& type) {
  CoverageRow row{type, "no checkpoint", ""};
  const auto folder = base::TemporaryDirectory::create("portwright-sweep");
  if (!folder) {
    row.reason = folder.error().message;
    return row;
  }
  if (auto made = make_checkpoint(slot, type, folder->path()); !made) {
    row.reason = first_line(made.error().message);
    return row;
  }
  const auto start = std::chrono::steady_clock::now();
  compile(row, folder->path());
  if (row.status == "ported" && options_.proof != Proof::InProcess) {
    if (const auto results = prove(slot, type, folder->path())) {
      judge(row, *results);
      const std::lock_guard lock(mutex_);
      table_.versions.insert(
          results->versions.begin(), results->versions.end());
    } else {
      row.status = "unjudged";
      row.reason = first_line(results.error().message);
      slot.reset();
    }
  }
  const std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - start;
  row.seconds = taken.count();
  return row;
}

base::Result<void> Sweep::make_checkpoint(
    WorkerSlot& slot,
    const std::string& type,
    const fs::path& folder) {
  if (options_.proof != Proof::InProcess) {
    if (const auto workers = slot.workers(); !workers) {
      return tl::unexpected(workers.error());
    }
  }
  const auto reference = slot.reference();
  if (!reference) {
    return tl::unexpected(reference.error());
  }
  const auto made = verify::synthesize(**reference, type, folder, {}, limit());
  if (!made) {
    if (made.error().where == verify::Trouble::Where::World) {
      slot.reset();
    }
    return base::fail(made.error().message);
  }
  return {};
}

void Sweep::compile(CoverageRow& row, const fs::path& checkpoint) {
  base::Command command;
  command.arguments = {
      base::executable_path().string(),
      "compile",
      checkpoint.string(),
      "-o",
      port_of(row.name).string(),
      "--fast",
      "--json"};
  if (!common_.transformers.empty()) {
    command.arguments.insert(
        command.arguments.end(), {"--transformers", common_.transformers});
  }
  const auto done = base::run(command, "", limit());
  if (!done) {
    row.status = "failed";
    row.reason = done.error().message;
    return;
  }
  judge(row, *done);
}

base::Result<verify::Results> Sweep::prove(
    WorkerSlot& slot,
    const std::string& type,
    const fs::path& checkpoint) {
  const auto workers = slot.workers();
  if (!workers) {
    return tl::unexpected(workers.error());
  }
  (*workers)->timeout = limit();
  verify::Subject subject;
  subject.checkpoint = checkpoint;
  subject.port = port_of(type);
  const auto session = verify::Session::open(*workers, subject);
  if (!session) {
    return tl::unexpected(session.error());
  }
  verify::BatteryOptions battery;
  if (options_.proof == Proof::MlxLm) {
    battery.only = kProof;
  }
  const auto silent = base::silent_progress();
  auto results = verify::run_battery(**session, battery, *silent);
  if (results && !options_.directory.empty()) {
    const auto written = base::write_file(
        files_ / "results" / (type + ".json"),
        report::to_json(*results).dump(2) + "\n");
    if (!written) {
      return tl::unexpected(written.error());
    }
  }
  return results;
}

void Sweep::finish(CoverageRow row) {
  const std::lock_guard lock(mutex_);
  say(console_, row);
  console_.progress().advance(++finished_, count_);
  table_.rows.push_back(std::move(row));
  if (written_ && !options_.directory.empty()) {
    written_ = write_coverage(table_, options_.directory);
  }
}

Coverage empty_table(Proof proof, const fs::path& library) {
  Coverage out;
  out.title = proof == Proof::InProcess ? "Ports, proven in process"
              : proof == Proof::MlxLm   ? "Ports in mlx_lm against torch"
                                        : "Ports before the whole battery";
  out.about =
      "Tiny random checkpoints in float32. Each file passed its own proof, in "
      "process, on several configs. ";
  if (proof == Proof::InProcess) {
    out.about += "It was not run in mlx_lm.";
  } else {
    out.about +=
        "Then mlx_lm ran it, strictly loaded: prompts at once and in pieces, "
        "cached single steps, caches past their windows, unequal prompts "
        "together and left-padded. Numbers are max|difference| / "
        "max|reference| of the logits; a check fails above 1e-4, and warns "
        "above 32 times the noise that it measured.";
  }
  out.versions[kSourceVersion] =
      library::transformers_version(library.string());
  return out;
}

bool has_unproven(const Coverage& table) {
  const auto counts = table.summary();
  return counts.contains("failed") || counts.contains("wrong") ||
         counts.contains("unjudged");
}

}  // namespace

ExitCode
sweep_ports(const PortSweep& sweep, const Common& common, Console& console) {
  const auto environment = worker_environment(common);
  if (!environment) {
    return console.fail(environment.error());
  }
  const auto library = transformers_directory(common);
  if (!library) {
    return console.fail(library.error());
  }
  auto scratch = base::TemporaryDirectory::create("portwright-ports");
  if (!scratch) {
    return console.fail(scratch.error());
  }
  const bool kept = !sweep.directory.empty();
  const fs::path files = kept ? fs::absolute(sweep.directory) : scratch->path();
  for (const char* folder : {"ports", "results"}) {
    if (auto made = base::make_directories(files / folder); !made) {
      return console.fail(made.error());
    }
  }
  Coverage table = empty_table(sweep.proof, *library);
  if (sweep.resume) {
    table = earlier_coverage(sweep.directory, table).value_or(table);
  }
  console.progress().begin("sweeping");
  const auto written =
      Sweep(sweep, common, console, *environment, files, table).run();
  console.progress().end();
  if (!written) {
    return console.fail(written.error());
  }
  console.say(fmt::format(
      "{} types: {}", table.rows.size(), report::summary_text(table)));
  console.result(report::to_json(table));
  return has_unproven(table) ? ExitCode::VerdictFailed : ExitCode::Done;
}

}  // namespace portwright::cli
