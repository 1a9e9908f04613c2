#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/jobs.h"
#include "base/paths.h"
#include "cli/coverage_files.h"
#include "cli/environment.h"
#include "cli/native_comparison.h"
#include "cli/native_reference.h"
#include "cli/port_sweep.h"
#include "cli/verbs.h"
#include "cli/worker_slot.h"
#include "library/install.h"
#include "library/model.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::json;
using report::Coverage;
using report::CoverageRow;

/// What one type may take: torch, its tiny model and our evaluation.
constexpr size_t kNativeBytes = size_t{3} << 30;

struct SweepOptions {
  std::vector<std::string> types;
  std::string directory;
  /// Set in the processes that a sweep starts: see evaluate_here().
  std::string checkpoint;
  std::string reference;
  std::string exact;
  std::string dtype = "float32";
  bool native = false;
  bool fast = false;
  bool battery = false;
  bool resume = false;
  int jobs = 0;
  int limit = 300;
};

/// The types that the library maps to causal language models.
library::Evaluated<std::vector<std::string>> all_types(
    const fs::path& library) {
  eval::Interpreter interp;
  library::install_library(interp, library.string());
  return library::causal_lm_types(interp);
}

Coverage empty_table(const fs::path& library, const std::string& dtype) {
  Coverage out;
  out.title = "Native evaluation against torch, " + dtype;
  out.about =
      "Tiny random checkpoints. full: all tokens at once; batch: two rows, one "
      "padded on the left; decode: a prefill, then cached single steps. "
      "Numbers "
      "are max|difference| / max|reference| of the logits. ";
  out.about +=
      dtype == kExact
          ? "Below 1e-4 is equal."
          : "Equal has torch's dtypes at every module boundary, and differs by "
            "less than twice torch's own noise: its distance from its "
            "float32. We compute halves in float32 and round each result: "
            "emulated.";
  out.versions[kSourceVersion] =
      library::transformers_version(library.string());
  return out;
}

/// One type that torch has answered for: what each process of a sweep does.
ExitCode evaluate_here(
    const SweepOptions& options,
    const fs::path& library,
    Console& console) {
  Coverage table;
  table.rows.push_back(compare_native(
      {options.types.front(),
       options.checkpoint,
       options.reference,
       options.exact,
       options.dtype},
      library));
  console.result(report::to_json(table));
  return ExitCode::Done;
}

base::Command command_for(
    const NativeQuestion& question,
    const fs::path& library) {
  base::Command out{
      .arguments = {
          base::executable_path().string(),
          "sweep",
          question.type,
          "--native",
          "--dtype",
          question.dtype,
          "--checkpoint",
          question.checkpoint.string(),
          "--reference",
          question.reference.string(),
          "--transformers",
          library.string(),
          "--json",
          "--quiet"}};
  if (!question.exact.empty()) {
    out.arguments.insert(
        out.arguments.end(), {"--exact", question.exact.string()});
  }
  return out;
}

std::string last_line(std::string text) {
  while (text.ends_with('\n')) {
    text.pop_back();
  }
  return text.substr(text.rfind('\n') + 1);
}

/// The row that a process of the sweep answered, or how it failed.
CoverageRow row_of(
    const std::string& type,
    const base::Result<base::Output>& output) {
  if (!output) {
    return {type, "late", output.error().message, {}, 0};
  }
  const auto answer = json::parse(output->out, nullptr, false);
  auto table = report::coverage_from_json(answer);
  if (output->status.ok() && table && table->rows.size() == 1) {
    return table->rows.front();
  }
  return {
      type,
      "crashed",
      base::to_string(output->status) + ": " + last_line(output->err),
      {},
      0};
}

/// One of the sweep's slots: a reference worker that serves many types.
class SweepSlot {
 public:
  SweepSlot(
      const verify::Environment& environment,
      const fs::path& library,
      const SweepOptions& options)
      : slot_(environment),
        library_(library),
        dtype_(options.dtype),
        limit_(std::chrono::seconds(options.limit)) {}

  CoverageRow sweep(const std::string& type) {
    CoverageRow row{type, "no reference", "", {}, 0};
    const auto folder = base::TemporaryDirectory::create("portwright-sweep");
    if (!folder) {
      row.reason = folder.error().message;
      return row;
    }
    const auto question = ask(type, folder->path());
    if (!question) {
      row.reason = question.error().message;
      std::replace(row.reason.begin(), row.reason.end(), '\n', ' ');
      return row;
    }
    return row_of(
        type, base::run(command_for(*question, library_), "", limit_));
  }

  /// Of the packages the reference uses; empty when it does not answer.
  std::map<std::string, std::string> versions() {
    std::map<std::string, std::string> out;
    const auto worker = slot_.reference();
    if (!worker) {
      return out;
    }
    if (const auto answer = (*worker)->request("ping", json::object())) {
      for (const auto& [name, version] : answer->items()) {
        if (version.is_string()) {
          out[name] = version;
        }
      }
    }
    return out;
  }

 private:
  /// Makes the checkpoint and has torch answer. The next type gets a fresh
  /// worker after any failure: it may have taken the worker along.
  base::Result<NativeQuestion> ask(
      const std::string& type,
      const fs::path& checkpoint) {
    const auto worker = slot_.reference();
    if (!worker) {
      return tl::unexpected(worker.error());
    }
    auto question = answer(**worker, type, checkpoint);
    if (!question) {
      slot_.reset();
    }
    return question;
  }

  base::Result<NativeQuestion> answer(
      verify::WorkerProcess& worker,
      const std::string& type,
      const fs::path& checkpoint) {
    const auto made = verify::synthesize(worker, type, checkpoint, {}, limit_);
    if (!made) {
      return base::fail(made.error().message);
    }
    NativeQuestion out{type, checkpoint, {}, {}, dtype_};
    const auto reference = keep_reference(worker, checkpoint, dtype_, limit_);
    if (!reference) {
      return tl::unexpected(reference.error());
    }
    out.reference = *reference;
    if (dtype_ != kExact) {
      const auto exact = keep_reference(worker, checkpoint, kExact, limit_);
      if (!exact) {
        return tl::unexpected(exact.error());
      }
      out.exact = *exact;
    }
    return out;
  }

  WorkerSlot slot_;
  const fs::path& library_;
  const std::string& dtype_;
  base::Milliseconds limit_;
};

/// Runs the types that `table` lacks, and keeps the table on disc after each.
base::Result<void> sweep_all(
    const SweepOptions& options,
    const fs::path& library,
    const verify::Environment& environment,
    Coverage& table,
    Console& console) {
  const auto types = missing_types(options.types, table);
  const size_t jobs =
      options.jobs > 0 ? options.jobs : base::jobs_at_once(kNativeBytes);
  std::vector<SweepSlot> slots;
  slots.reserve(jobs);
  for (size_t i = 0; i < jobs; ++i) {
    slots.emplace_back(environment, library, options);
  }
  table.versions.merge(slots.front().versions());
  std::mutex mutex;
  base::Result<void> result;
  size_t finished = 0;
  console.progress().begin("sweeping");
  base::run_jobs(types.size(), jobs, [&](size_t slot, size_t index) {
    CoverageRow row = slots[slot].sweep(types[index]);
    const std::lock_guard lock(mutex);
    say(console, row);
    console.progress().advance(++finished, types.size());
    table.rows.push_back(std::move(row));
    if (!options.directory.empty() && result) {
      result = write_coverage(table, options.directory);
    }
  });
  console.progress().end();
  return result;
}

ExitCode sweep(SweepOptions options, const Common& common, Console& console) {
  const auto library = transformers_directory(common);
  if (!library) {
    return console.fail(library.error());
  }
  if (!options.checkpoint.empty()) {
    return evaluate_here(options, *library, console);
  }
  const auto environment = worker_environment(common);
  if (!environment) {
    return console.fail(environment.error());
  }
  if (options.types.empty()) {
    auto types = all_types(*library);
    if (!types) {
      console.diagnostic(types.error());
      return ExitCode::Refused;
    }
    options.types = *types;
  }
  if (!options.native) {
    return sweep_ports(
        {.types = options.types,
         .directory = options.directory,
         .proof = options.fast      ? PortSweep::Proof::InProcess
                  : options.battery ? PortSweep::Proof::Battery
                                    : PortSweep::Proof::MlxLm,
         .resume = options.resume,
         .jobs = options.jobs,
         .limit_seconds = options.limit},
        common,
        console);
  }
  Coverage table = empty_table(*library, options.dtype);
  const fs::path folder = options.directory;
  if (options.resume) {
    table = earlier_coverage(folder, table).value_or(table);
  }
  if (auto swept = sweep_all(options, *library, *environment, table, console);
      !swept) {
    return console.fail(swept.error());
  }
  sort_by_name(table);
  if (!folder.empty()) {
    if (auto written = write_coverage(table, folder); !written) {
      return console.fail(written.error());
    }
  }
  console.say(report::summary_text(table));
  console.result(report::to_json(table));
  return table.summary()["equal"] == static_cast<int>(table.rows.size())
             ? ExitCode::Done
             : ExitCode::VerdictFailed;
}

}  // namespace

Run verb_sweep(CLI::App& app, const Common& common) {
  auto options = std::make_shared<SweepOptions>();
  app.add_option("types", options->types, "model types; all when none is named")
      ->type_name("TYPE");
  auto* directory = app.add_option(
                           "-o",
                           options->directory,
                           "where sweep.json, sweep.md and sweep.html go")
                        ->type_name("DIR");
  auto* native = app.add_flag(
      "--native",
      options->native,
      "compare native evaluation with torch instead of porting");
  auto* fast = app.add_flag(
                      "--fast",
                      options->fast,
                      "prove ports in process only, not in mlx_lm")
                   ->excludes(native);
  app.add_flag(
         "--battery",
         options->battery,
         "run every check of verify on each port, not just those of a proof")
      ->excludes(native)
      ->excludes(fast);
  app.add_flag(
         "--resume", options->resume, "keep what sweep.json in DIR has already")
      ->needs(directory);
  app.add_option("--jobs", options->jobs, "types at once; by cores and memory")
      ->type_name("N");
  app.add_option("--dtype", options->dtype, "what both sides compute in")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}))
      ->capture_default_str();
  app.add_option("--limit", options->limit, "seconds that one type may take")
      ->capture_default_str();
  auto* checkpoint =
      app.add_option("--checkpoint", options->checkpoint)->group("");
  app.add_option("--reference", options->reference)
      ->group("")
      ->needs(checkpoint);
  app.add_option("--exact", options->exact)->group("")->needs(checkpoint);
  return [options, &common](Console& console) {
    return sweep(*options, common, console);
  };
}

}  // namespace portwright::cli
