#include "cli/port_sweep.h"

#include <fmt/format.h>

#include <chrono>
#include <mutex>

#include "base/jobs.h"
#include "base/paths.h"
#include "base/subprocess.h"
#include "cli/environment.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What compiling and proving one type may take.
constexpr size_t kPortBytes = size_t{1} << 30;

struct Row {
  std::string type;
  std::string status;  // ported, refused, failed, no checkpoint
  std::string reason;
  Json details = Json::object();
  double seconds = 0;
};

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
void judge(Row& row, const base::Output& done) {
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

/// One sweep's state: workers take types from it and give rows back.
class Sweep {
 public:
  Sweep(
      const PortSweep& options,
      const Common& common,
      Console& console,
      verify::WorkerProcess& reference,
      fs::path files)
      : options_(options),
        common_(common),
        console_(console),
        reference_(reference),
        files_(std::move(files)) {}

  std::vector<Row> run() {
    const auto wished = static_cast<size_t>(options_.jobs);
    base::run_jobs(
        options_.types.size(),
        wished ? wished : base::jobs_at_once(kPortBytes),
        [this](size_t, size_t index) { sweep(options_.types[index]); });
    std::sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
      return a.type < b.type;
    });
    return std::move(rows_);
  }

 private:
  void sweep(const std::string& type);
  bool make_checkpoint(Row& row, const fs::path& folder);
  void compile(Row& row, const fs::path& checkpoint);
  void finish(Row row);

  const PortSweep& options_;
  const Common& common_;
  Console& console_;
  verify::WorkerProcess& reference_;
  fs::path files_;
  std::mutex mutex_;  // for everything below, the console and the worker
  std::vector<Row> rows_;
};

void Sweep::sweep(const std::string& type) {
  Row row{type};
  const auto folder = base::TemporaryDirectory::create("portwright-sweep");
  if (!folder) {
    row.status = "no checkpoint";
    row.reason = folder.error().message;
  } else if (make_checkpoint(row, folder->path())) {
    const auto start = std::chrono::steady_clock::now();
    compile(row, folder->path());
    const std::chrono::duration<double> taken =
        std::chrono::steady_clock::now() - start;
    row.seconds = taken.count();
  }
  finish(std::move(row));
}

bool Sweep::make_checkpoint(Row& row, const fs::path& folder) {
  const std::lock_guard lock(mutex_);
  const auto made = verify::synthesize(reference_, row.type, folder, {});
  if (!made) {
    row.status = "no checkpoint";
    row.reason = first_line(made.error().message);
  }
  return made.has_value();
}

void Sweep::compile(Row& row, const fs::path& checkpoint) {
  base::Command command;
  command.arguments = {
      base::executable_path().string(),
      "compile",
      checkpoint.string(),
      "-o",
      (files_ / (row.type + ".py")).string(),
      "--fast",
      "--json"};
  if (!common_.transformers.empty()) {
    command.arguments.insert(
        command.arguments.end(), {"--transformers", common_.transformers});
  }
  const auto done =
      base::run(command, "", base::Milliseconds(options_.limit_seconds * 1000));
  if (!done) {
    row.status = "failed";
    row.reason = done.error().message;
    return;
  }
  judge(row, *done);
}

void Sweep::finish(Row row) {
  const std::lock_guard lock(mutex_);
  console_.say(fmt::format(
      "{:28} {:8} {:5.1f} s  {}",
      row.type,
      row.status,
      row.seconds,
      row.reason));
  rows_.push_back(std::move(row));
  console_.progress().advance(rows_.size(), options_.types.size());
}

Json to_json(const std::vector<Row>& rows) {
  Json types = Json::object();
  std::map<std::string, int> counts;
  for (const Row& row : rows) {
    Json entry = {
        {"status", row.status},
        {"reason", row.reason},
        {"seconds", row.seconds}};
    entry.update(row.details);
    types[row.type] = std::move(entry);
    ++counts[row.status];
  }
  return {{"schema", 1}, {"summary", counts}, {"types", types}};
}

}  // namespace

ExitCode
sweep_ports(const PortSweep& sweep, const Common& common, Console& console) {
  const auto environment = worker_environment(common);
  if (!environment) {
    return console.fail(environment.error());
  }
  auto scratch = base::TemporaryDirectory::create("portwright-ports");
  if (!scratch) {
    return console.fail(scratch.error());
  }
  const bool kept = !sweep.directory.empty();
  const fs::path files =
      kept ? fs::absolute(sweep.directory) / "ports" : scratch->path();
  if (auto made = base::make_directories(files); !made) {
    return console.fail(made.error());
  }
  auto worker = verify::start_reference(*environment);
  if (!worker) {
    return console.fail(worker.error());
  }
  console.progress().begin("sweeping");
  const auto rows = Sweep(sweep, common, console, *worker, files).run();
  console.progress().end();
  const Json json = to_json(rows);
  std::string counts;
  for (const auto& [status, count] : json["summary"].items()) {
    counts += fmt::format(
        "{}{} {}", counts.empty() ? "" : ", ", count.dump(), status);
  }
  console.say(fmt::format("{} types: {}", rows.size(), counts));
  if (kept) {
    const fs::path file = sweep.directory / "sweep.json";
    if (auto written = base::write_file(file, json.dump(2) + "\n"); !written) {
      return console.fail(written.error());
    }
  }
  console.result(json);
  return json["summary"].contains("failed") ? ExitCode::VerdictFailed
                                            : ExitCode::Done;
}

}  // namespace portwright::cli
