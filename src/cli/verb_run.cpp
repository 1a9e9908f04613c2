#include <fmt/format.h>
#include <mlx/mlx.h>

#include "cli/model_argument.h"
#include "cli/npy.h"
#include "cli/refusal.h"
#include "cli/token_ids.h"
#include "cli/verbs.h"
#include "library/model.h"

namespace portwright::cli {
namespace {

namespace mx = mlx::core;

struct Options {
  std::string model;
  std::string ids;
  std::string mask;
  std::string logits;
  std::optional<int> decode_from;
  std::string dtype = "float32";
};

struct Inputs {
  IdTable ids;
  std::optional<IdTable> mask;
};

/// The Error is one of usage.
base::Result<Inputs> inputs_of(const Options& options) {
  Inputs out;
  auto ids = parse_ids("--ids", options.ids);
  if (!ids) {
    return tl::unexpected(ids.error());
  }
  out.ids = *ids;
  if (!options.mask.empty()) {
    auto mask = parse_mask("--mask", options.mask, out.ids);
    if (!mask) {
      return tl::unexpected(mask.error());
    }
    out.mask = *mask;
  }
  if (!options.decode_from) {
    return out;
  }
  const int from = *options.decode_from;
  if (from < 1 || from > out.ids.columns) {
    return base::fail(
        fmt::format("--decode-from {} of {} ids", from, out.ids.columns),
        "at least one id is prefilled, at most all of them");
  }
  for (int i = 0; out.mask && i < out.ids.rows * out.ids.columns; ++i) {
    if (i % out.ids.columns >= from && !out.mask->values[i]) {
      return base::fail(
          "--mask leaves out an id that is decoded",
          "padding stands on the left, before --decode-from");
    }
  }
  return out;
}

mx::array to_array(const IdTable& table) {
  return mx::array(
      table.values.data(), mx::Shape{table.rows, table.columns}, mx::int64);
}

mx::array columns(const mx::array& ids, int from, int to) {
  return mx::slice(ids, {0, from}, {ids.shape(0), to});
}

diagnostics::Diagnostic no_cache() {
  return {
      diagnostics::Kind::UnsupportedStructure,
      "the model keeps no cache, so it cannot decode step by step",
      {},
      "leave out --decode-from",
      "",
      {}};
}

/// Logits (B, T, V): the first `from` ids as prefill, the rest as steps.
library::Evaluated<mx::array> decode(
    eval::Interpreter& interp,
    const eval::Value& model,
    const Inputs& inputs,
    int from) {
  const mx::array ids = to_array(inputs.ids);
  std::optional<mx::array> mask;
  if (inputs.mask) {
    mask = columns(to_array(*inputs.mask), 0, from);
  }
  auto session = library::Session::start(interp, model, mask);
  if (!session) {
    return tl::unexpected(session.error());
  }
  auto logits = session->prefill(columns(ids, 0, from));
  if (!logits) {
    return logits;
  }
  const auto cache = session->cache();
  if (!cache || cache->is_none()) {
    return tl::unexpected(cache ? no_cache() : cache.error());
  }
  std::vector<mx::array> parts{*logits};
  for (int i = from; i < inputs.ids.columns; ++i) {
    auto step = session->step(columns(ids, i, i + 1));
    if (!step) {
      return step;
    }
    parts.push_back(*step);
  }
  return mx::concatenate(parts, 1);
}

library::Evaluated<mx::array> compute(
    eval::Interpreter& interp,
    const eval::Value& model,
    const Inputs& inputs,
    const std::optional<int>& decode_from) {
  if (decode_from) {
    return decode(interp, model, inputs, *decode_from);
  }
  std::optional<mx::array> mask;
  if (inputs.mask) {
    mask = to_array(*inputs.mask);
  }
  return library::forward(interp, model, to_array(inputs.ids), mask);
}

base::Result<void> write(const std::string& file, mx::array logits) {
  logits = mx::contiguous(mx::astype(logits, mx::float32));
  std::vector<int> shape(logits.shape().begin(), logits.shape().end());
  if (shape[0] == 1) {
    shape.erase(shape.begin());
  }
  mx::eval(logits);
  return write_npy(file, {logits.data<float>(), logits.size()}, shape);
}

ExitCode run(const Options& options, const Common& common, Console& console) {
  const auto inputs = inputs_of(options);
  if (!inputs) {
    return console.fail(inputs.error(), ExitCode::Usage);
  }
  const auto dtype = torch::dtype_by_name(options.dtype);
  if (!dtype || !torch::is_floating_point(*dtype) ||
      !torch::has_arrays(*dtype)) {
    return console.fail(
        {"--dtype " + options.dtype, "float32, bfloat16 or float16 is meant"},
        ExitCode::Usage);
  }
  const auto transformers = transformers_directory(common);
  if (!transformers) {
    return console.fail(transformers.error());
  }
  const auto directory = model_directory(options.model, common, console);
  if (!directory) {
    return console.fail(directory.error());
  }
  console.progress().begin("evaluating " + options.model);
  eval::Interpreter interp;
  library::install_library(interp, transformers->string());
  const auto model = library::load_model(interp, directory->path, *dtype);
  if (!model) {
    return refuse(console, model.error());
  }
  const auto logits =
      compute(interp, model->model, *inputs, options.decode_from);
  console.progress().end();
  if (!logits) {
    return refuse(console, logits.error());
  }
  if (auto written = write(options.logits, *logits); !written) {
    return console.fail(written.error());
  }
  const auto& shape = logits->shape();
  console.say(fmt::format(
      "{}: logits of {} x {} ids over {} tokens",
      options.logits,
      shape[0],
      shape[1],
      shape[2]));
  console.result(
      {{"schema", 1},
       {"logits", options.logits},
       {"shape", {shape[0], shape[1], shape[2]}},
       {"unused", model->weights.unused}});
  return ExitCode::Done;
}

}  // namespace

Run verb_run(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  app.add_option("model", options->model, "a checkpoint or a model type")
      ->type_name("MODEL")
      ->required();
  app.add_option("--ids", options->ids, "token ids: 1,2,3; rows split by ';'")
      ->required();
  app.add_option("--mask", options->mask, "1 or 0 for each id, 0 for padding");
  app.add_option("--logits", options->logits, "where the logits go")
      ->type_name("FILE.npy")
      ->required();
  app.add_option(
      "--decode-from",
      options->decode_from,
      "prefill this many ids, then go on step by step with a cache");
  app.add_option("--dtype", options->dtype, "what to compute in")
      ->capture_default_str();
  return [options, &common](Console& console) {
    return run(*options, common, console);
  };
}

}  // namespace portwright::cli
