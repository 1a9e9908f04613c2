#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/jobs.h"
#include "base/paths.h"
#include "cli/environment.h"
#include "cli/native_comparison.h"
#include "cli/native_reference.h"
#include "cli/port_sweep.h"
#include "cli/verbs.h"
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
constexpr const char* kSource = "transformers source";

struct SweepOptions {
  std::vector<std::string> types;
  std::string directory;
  /// Set in the processes that a sweep starts: see evaluate_here().
  std::string checkpoint;
  std::string reference;
  std::string exact;
  std::string dtype = "float32";
  bool native = false;
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
  out.versions[kSource] = library::transformers_version(library.string());
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
      : environment_(environment),
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
    if (!worker_ && !start()) {
      return out;
    }
    if (const auto answer = worker_->request("ping", json::object())) {
      for (const auto& [name, version] : answer->items()) {
        if (version.is_string()) {
          out[name] = version;
        }
      }
    }
    return out;
  }

 private:
  base::Result<void> start() {
    auto worker = verify::start_reference(environment_);
    if (!worker) {
      return tl::unexpected(worker.error());
    }
    worker_.emplace(std::move(*worker));
    return {};
  }

  /// Makes the checkpoint and has torch answer. The next type gets a fresh
  /// worker after any failure: it may have taken the worker along.
  base::Result<NativeQuestion> ask(
      const std::string& type,
      const fs::path& checkpoint) {
    if (!worker_) {
      if (auto started = start(); !started) {
        return tl::unexpected(started.error());
      }
    }
    auto question = answer(type, checkpoint);
    if (!question) {
      worker_.reset();
    }
    return question;
  }

  base::Result<NativeQuestion> answer(
      const std::string& type,
      const fs::path& checkpoint) {
    const auto made =
        verify::synthesize(*worker_, type, checkpoint, {}, limit_);
    if (!made) {
      return base::fail(made.error().message);
    }
    NativeQuestion out{type, checkpoint, {}, {}, dtype_};
    const auto reference = keep_reference(*worker_, checkpoint, dtype_, limit_);
    if (!reference) {
      return tl::unexpected(reference.error());
    }
    out.reference = *reference;
    if (dtype_ != kExact) {
      const auto exact = keep_reference(*worker_, checkpoint, kExact, limit_);
      if (!exact) {
        return tl::unexpected(exact.error());
      }
      out.exact = *exact;
    }
    return out;
  }

  const verify::Environment& environment_;
  const fs::path& library_;
  const std::string& dtype_;
  base::Milliseconds limit_;
  std::optional<verify::WorkerProcess> worker_;
};

/// A table of an earlier sweep of the same by the same binary.
std::optional<Coverage> earlier(const fs::path& file, const Coverage& wanted) {
  std::error_code missing, gone;
  const auto written = fs::last_write_time(file, missing);
  const auto built = fs::last_write_time(base::executable_path(), gone);
  const auto text = base::read_file(file);
  if (missing || gone || written < built || !text) {
    return std::nullopt;
  }
  auto table = report::coverage_from_json(json::parse(*text, nullptr, false));
  if (!table || table->title != wanted.title ||
      table->versions[kSource] != wanted.versions.at(kSource)) {
    return std::nullopt;
  }
  return *table;
}

base::Result<void> write_tables(const Coverage& table, const fs::path& folder) {
  const std::vector<std::pair<const char*, std::string>> files = {
      {"sweep.json", report::to_json(table).dump(2) + "\n"},
      {"sweep.md", report::to_markdown(table)},
      {"sweep.html", report::to_html(table)}};
  for (const auto& [name, text] : files) {
    if (auto written = base::write_file(folder / name, text); !written) {
      return written;
    }
  }
  return {};
}

std::string painted(const Console& console, const std::string& status) {
  const std::string padded = fmt::format("{:12}", status);
  if (status == "equal") {
    return console.green(padded);
  }
  return status == "refused" || status == "no reference"
             ? console.yellow(padded)
             : console.red(padded);
}

void say(Console& console, const CoverageRow& row) {
  console.say(fmt::format(
      "{:28} {} {:5.1f} s  {}",
      row.name,
      painted(console, row.status),
      row.seconds,
      row.reason));
}

/// Runs the types that `table` lacks, and keeps the table on disc after each.
base::Result<void> sweep_all(
    const SweepOptions& options,
    const fs::path& library,
    const verify::Environment& environment,
    Coverage& table,
    Console& console) {
  std::vector<std::string> types;
  for (const std::string& type : options.types) {
    if (std::none_of(
            table.rows.begin(), table.rows.end(), [&](const CoverageRow& row) {
              return row.name == type;
            })) {
      types.push_back(type);
    }
  }
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
  base::run_jobs(types.size(), jobs, [&](size_t slot, size_t index) {
    CoverageRow row = slots[slot].sweep(types[index]);
    const std::lock_guard lock(mutex);
    console.progress().end();
    say(console, row);
    console.progress().begin("sweeping");
    console.progress().advance(++finished, types.size());
    table.rows.push_back(std::move(row));
    if (!options.directory.empty() && result) {
      result = write_tables(table, options.directory);
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
        {options.types, options.directory, options.jobs, options.limit},
        common,
        console);
  }
  Coverage table = empty_table(*library, options.dtype);
  const fs::path folder = options.directory;
  if (options.resume) {
    table = earlier(folder / "sweep.json", table).value_or(table);
  }
  if (auto swept = sweep_all(options, *library, *environment, table, console);
      !swept) {
    return console.fail(swept.error());
  }
  std::sort(
      table.rows.begin(),
      table.rows.end(),
      [](const CoverageRow& a, const CoverageRow& b) {
        return a.name < b.name;
      });
  if (!folder.empty()) {
    if (auto written = write_tables(table, folder); !written) {
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
  app.add_flag(
      "--native",
      options->native,
      "compare native evaluation with torch instead of porting");
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
