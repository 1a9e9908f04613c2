#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/jobs.h"
#include "base/paths.h"
#include "cli/environment.h"
#include "cli/proving.h"
#include "cli/verbs.h"
#include "cli/worker_slot.h"
#include "report/audit.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using report::Audit;
using report::AuditRow;

/// What one type may take: torch, mlx_lm and two tiny models.
constexpr size_t kAuditBytes = size_t{3} << 30;

struct AuditOptions {
  std::vector<std::string> types;
  std::string directory;
  std::string mlx_lm;
  bool resume = false;
  int jobs = 0;
  int limit = 120;
};

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// What audits one type after another.
class AuditSlot {
 public:
  AuditSlot(const verify::Environment& environment, const AuditOptions& options)
      : slot_(
            environment,
            options.mlx_lm.empty()
                ? std::nullopt
                : std::optional<fs::path>(fs::absolute(options.mlx_lm))),
        options_(options) {}

  base::Result<std::shared_ptr<verify::Workers>> workers() {
    return slot_.workers();
  }

  AuditRow audit(const std::string& type, bool flat) {
    AuditRow row;
    row.type = type;
    row.form = flat ? "v4" : "v5";
    auto results = results_of(row, flat);
    if (results) {
      report::judge_row(*results, row);
      versions_ = results->versions;
    } else if (row.status.empty()) {
      row.status = "failed";
      row.reason = one_line(results.error().message);
      slot_.reset();
    }
    return row;
  }

  /// Of what the last audited type ran on.
  const std::map<std::string, std::string>& versions() const {
    return versions_;
  }

 private:
  /// Without results the row may say why.
  base::Result<verify::Results> results_of(AuditRow& row, bool flat) {
    const auto workers = slot_.workers();
    if (!workers) {
      return tl::unexpected(workers.error());
    }
    const auto folder = base::TemporaryDirectory::create("portwright-audit");
    if (!folder) {
      return tl::unexpected(folder.error());
    }
    verify::SynthOptions synth;
    synth.flat_rope = flat;
    synth.hub_form = flat;
    const auto made = verify::synthesize(
        (*workers)->reference, row.type, folder->path(), synth, limit());
    if (!made) {
      if (made.error().where == verify::Trouble::Where::Model) {
        row.status = "no counterpart";
        row.reason = one_line(made.error().message);
      }
      return base::fail(made.error().message);
    }
    (*workers)->timeout = limit();
    verify::Subject subject;
    subject.checkpoint = folder->path();
    const auto session = verify::Session::open(*workers, subject);
    if (!session) {
      return tl::unexpected(session.error());
    }
    const auto silent = base::silent_progress();
    return verify::run_battery(**session, {}, *silent);
  }

  base::Milliseconds limit() const {
    return std::chrono::seconds(options_.limit);
  }

  WorkerSlot slot_;
  const AuditOptions& options_;
  std::map<std::string, std::string> versions_;
};

base::Result<std::vector<std::string>> types_of(AuditSlot& slot) {
  const auto workers = slot.workers();
  if (!workers) {
    return tl::unexpected(workers.error());
  }
  const auto answer = (*workers)->candidate.request("types", json::object());
  if (!answer) {
    return base::fail(answer.error().message);
  }
  return answer->at("types").get<std::vector<std::string>>();
}

void say(Console& console, const AuditRow& row) {
  const auto padded = fmt::format("{:15}", row.status);
  console.say(fmt::format(
      "{:24} {} {} {}",
      row.type,
      row.form,
      row.status == "match" ? console.green(padded) : console.yellow(padded),
      row.reason));
}

/// Audits what `table` lacks, and keeps the table on disc after each row.
base::Result<void> audit_all(
    const std::vector<std::string>& types,
    const AuditOptions& options,
    std::vector<AuditSlot>& slots,
    Audit& table,
    Console& console) {
  std::vector<std::pair<std::string, bool>> missing;
  for (const auto& type : types) {
    for (const bool flat : {false, true}) {
      if (!table.has(type, flat ? "v4" : "v5")) {
        missing.emplace_back(type, flat);
      }
    }
  }
  std::mutex mutex;
  base::Result<void> result;
  size_t finished = 0;
  console.progress().begin("auditing");
  base::run_jobs(missing.size(), slots.size(), [&](size_t slot, size_t index) {
    const auto& [type, flat] = missing[index];
    AuditRow row = slots[slot].audit(type, flat);
    const std::lock_guard lock(mutex);
    say(console, row);
    console.progress().advance(++finished, missing.size());
    table.rows.push_back(std::move(row));
    table.versions.insert(
        slots[slot].versions().begin(), slots[slot].versions().end());
    if (result) {
      result = report::write_audit(table, options.directory);
    }
  });
  console.progress().end();
  return result;
}

ExitCode audit(AuditOptions options, const Common& common, Console& console) {
  const auto environment = worker_environment(common);
  if (!environment) {
    return console.fail(environment.error());
  }
  if (auto made = base::make_directories(options.directory); !made) {
    return console.fail(made.error());
  }
  const size_t jobs =
      options.jobs > 0 ? options.jobs : base::jobs_at_once(kAuditBytes);
  std::vector<AuditSlot> slots;
  slots.reserve(jobs);
  for (size_t i = 0; i < jobs; ++i) {
    slots.emplace_back(*environment, options);
  }
  if (options.types.empty()) {
    auto types = types_of(slots.front());
    if (!types) {
      return console.fail(types.error());
    }
    options.types = *types;
  }
  Audit table;
  if (options.resume) {
    table = report::read_audit(options.directory).value_or(table);
    table.forget_failed();
  }
  if (auto done = audit_all(options.types, options, slots, table, console);
      !done) {
    return console.fail(done.error());
  }
  console.say(report::audit_sentence(table));
  console.result(report::to_json(table));
  return ExitCode::Done;
}

}  // namespace

Run verb_audit(CLI::App& app, const Common& common) {
  auto options = std::make_shared<AuditOptions>();
  app.add_option(
         "types",
         options->types,
         "model types; every file of mlx-lm when none is named")
      ->type_name("TYPE");
  app.add_option("-o", options->directory, "where audit.json and audit.md go")
      ->type_name("DIR")
      ->required();
  app.add_option("--mlx-lm", options->mlx_lm, "an mlx-lm to audit instead")
      ->type_name("DIR");
  app.add_flag(
      "--resume",
      options->resume,
      "keep what audit.json in DIR has already, but what failed for reasons "
      "outside the models");
  app.add_option("--jobs", options->jobs, "types at once; by cores and memory")
      ->type_name("N");
  app.add_option("--limit", options->limit, "seconds that a request may take")
      ->capture_default_str();
  return [options, &common](Console& console) {
    return audit(*options, common, console);
  };
}

}  // namespace portwright::cli
