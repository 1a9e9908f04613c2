#include <fmt/format.h>
#include <mlx/mlx.h>

#include <chrono>

#include "cli/model_argument.h"
#include "cli/native_reference.h"
#include "cli/verbs.h"
#include "library/model.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
namespace mx = mlx::core;
using Json = nlohmann::ordered_json;

/// float32 on both sides; the tiny models are conditioned far better.
constexpr double kTolerance = 1e-4;
constexpr uint64_t kSteps = 300'000'000;

struct Options {
  std::vector<std::string> types;
  std::string directory;
  bool native = false;
};

struct Row {
  std::string type;
  std::string status;  // equal, different, refused, no reference
  std::string reason;
  std::map<std::string, double> errors;
  double seconds = 0;
};

mx::array to_array(const IdTable& table) {
  return mx::array(
      table.values.data(), mx::Shape{table.rows, table.columns}, mx::int64);
}

mx::array columns(const mx::array& a, int from, int to) {
  mx::Shape start(a.ndim(), 0), stop(a.shape());
  start[1] = from;
  stop[1] = to;
  return mx::slice(a, start, stop);
}

/// max|a - b| / max|b| where the mask is 1; infinite for other shapes or NaN.
double relative_error(
    const mx::array& a,
    const mx::array& b,
    const std::optional<mx::array>& mask = std::nullopt) {
  if (a.shape() != b.shape()) {
    return INFINITY;
  }
  mx::array difference = mx::abs(a - b);
  mx::array size = mx::abs(b);
  if (mask) {
    const mx::array kept = mx::expand_dims(mx::astype(*mask, mx::bool_), -1);
    difference = mx::where(kept, difference, mx::array(0.0f));
    size = mx::where(kept, size, mx::array(0.0f));
  }
  const double value = mx::max(difference).item<float>() /
                       std::max(mx::max(size).item<float>(), 1e-30f);
  return std::isnan(value) ? INFINITY : value;
}

/// The logits after the prefill and after each step, as the reference gives.
library::Evaluated<mx::array> decode(
    eval::Interpreter& interp,
    const eval::Value& model,
    const Probe& probe) {
  const mx::array ids = to_array(probe.full);
  auto session = library::Session::start(interp, model);
  if (!session) {
    return tl::unexpected(session.error());
  }
  auto logits = session->prefill(columns(ids, 0, probe.prefill));
  std::vector<mx::array> parts;
  for (int i = probe.prefill;; ++i) {
    if (!logits) {
      return logits;
    }
    const int last = logits->shape(1);
    parts.push_back(columns(*logits, last - 1, last));
    if (i == probe.full.columns) {
      return mx::concatenate(parts, 1);
    }
    logits = session->step(columns(ids, i, i + 1));
  }
}

std::string one_line(const diagnostics::Diagnostic& diagnostic) {
  std::string out = fmt::format(
      "{}: {}", diagnostics::name(diagnostic.kind), diagnostic.message);
  if (diagnostic.span) {
    out += " at " + base::to_string(diagnostic.span);
  }
  return out.substr(0, out.find('\n'));
}

void compare(
    Row& row,
    const fs::path& checkpoint,
    const fs::path& library,
    const NativeReference& reference) {
  eval::Interpreter interp({.steps = kSteps});
  library::install_library(interp, library.string());
  const auto model = library::load_model(interp, checkpoint);
  if (!model) {
    row.status = "refused";
    row.reason = one_line(model.error());
    return;
  }
  const Probe probe = native_probe();
  row.status = "equal";
  for (const auto& [part, wanted] : reference.logits) {
    std::optional<mx::array> mask;
    if (part == "batch") {
      mask = to_array(probe.mask);
    }
    const auto got =
        part == "decode"
            ? decode(interp, model->model, probe)
            : library::forward(
                  interp,
                  model->model,
                  to_array(part == "batch" ? probe.batch : probe.full),
                  mask);
    if (!got) {
      row.status = "refused";
      row.reason = part + ": " + one_line(got.error());
      return;
    }
    const double error = relative_error(*got, wanted, mask);
    row.errors[part] = error;
    if (!(error < kTolerance) && row.status == "equal") {
      row.status = "different";
      row.reason = fmt::format("{} differs by {:.2g}", part, error);
    }
  }
  if (!model->weights.unused.empty() && row.reason.empty()) {
    row.reason = "unused in the checkpoint: " + model->weights.unused.front();
  }
}

Row sweep_one(
    const std::string& type,
    verify::WorkerProcess& worker,
    const fs::path& library) {
  Row row{type, "no reference", "", {}, 0};
  const auto start = std::chrono::steady_clock::now();
  const auto folder = base::TemporaryDirectory::create("portwright-sweep");
  if (!folder) {
    row.reason = folder.error().message;
    return row;
  }
  const auto made = verify::synthesize(worker, type, folder->path(), {});
  if (!made) {
    row.reason = made.error().message;
    return row;
  }
  const auto reference = native_reference(worker, folder->path());
  if (!reference) {
    row.reason = reference.error().message;
    return row;
  }
  compare(row, folder->path(), library, *reference);
  const std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - start;
  row.seconds = taken.count();
  return row;
}

/// The types that the library maps to causal language models.
library::Evaluated<std::vector<std::string>> all_types(
    const fs::path& library) {
  eval::Interpreter interp;
  library::install_library(interp, library.string());
  return library::causal_lm_types(interp);
}

Json to_json(const std::vector<Row>& rows) {
  Json types = Json::object();
  std::map<std::string, int> counts;
  for (const Row& row : rows) {
    Json errors = Json::object();
    for (const auto& [part, error] : row.errors) {
      errors[part] = std::isfinite(error) ? Json(error) : Json(nullptr);
    }
    types[row.type] = {
        {"status", row.status},
        {"reason", row.reason},
        {"errors", errors},
        {"seconds", row.seconds}};
    ++counts[row.status];
  }
  return {{"schema", 1}, {"summary", counts}, {"types", types}};
}

ExitCode sweep(Options options, const Common& common, Console& console) {
  if (!options.native) {
    return console.fail(
        {"sweep needs --native",
         "it compares native evaluation with torch for every type"},
        ExitCode::Usage);
  }
  const auto library = transformers_directory(common);
  const auto environment = worker_environment(common);
  if (!library || !environment) {
    return console.fail(library ? environment.error() : library.error());
  }
  if (options.types.empty()) {
    auto types = all_types(*library);
    if (!types) {
      console.diagnostic(types.error());
      return ExitCode::Refused;
    }
    options.types = *types;
  }
  auto worker = verify::start_reference(*environment);
  if (!worker) {
    return console.fail(worker.error());
  }
  std::vector<Row> rows;
  size_t equal = 0;
  for (const std::string& type : options.types) {
    console.progress().begin("sweeping " + type);
    rows.push_back(sweep_one(type, *worker, *library));
    const Row& row = rows.back();
    equal += row.status == "equal";
    console.progress().end();
    console.say(fmt::format(
        "{:28} {:12} {:5.1f} s  {}",
        row.type,
        row.status,
        row.seconds,
        row.reason));
  }
  console.say(fmt::format("{} of {} equal", equal, rows.size()));
  const Json json = to_json(rows);
  if (!options.directory.empty()) {
    const fs::path file = fs::path(options.directory) / "sweep.json";
    if (auto written = base::write_file(file, json.dump(2) + "\n"); !written) {
      return console.fail(written.error());
    }
  }
  console.result(json);
  return equal == rows.size() ? ExitCode::Done : ExitCode::VerdictFailed;
}

}  // namespace

Run verb_sweep(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  app.add_option("types", options->types, "model types; all when none is named")
      ->type_name("TYPE");
  app.add_option("-o", options->directory, "where sweep.json goes")
      ->type_name("DIR");
  app.add_flag(
      "--native", options->native, "compare native evaluation with torch");
  return [options, &common](Console& console) {
    return sweep(*options, common, console);
  };
}

}  // namespace portwright::cli
