#include <fmt/format.h>
#include <mlx/mlx.h>

#include "cli/model_argument.h"
#include "cli/npy.h"
#include "cli/refusal.h"
#include "cli/run_views.h"
#include "cli/token_ids.h"
#include "cli/verbs.h"
#include "library/model.h"
#include "trace/recorder.h"

namespace portwright::cli {
namespace {

namespace mx = mlx::core;
using Json = nlohmann::ordered_json;

struct RunOptions {
  std::string model;
  std::string ids;
  std::string mask;
  std::string logits;
  std::optional<int> decode_from;
  std::string dtype = "float32";
  RunViews views;
};

struct Inputs {
  IdTable ids;
  std::optional<IdTable> mask;
};

/// The Error is one of usage.
base::Result<Inputs> inputs_of(const RunOptions& options) {
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

diagnostics::Diagnostic cannot_decode(std::string reason) {
  return {
      diagnostics::Kind::UnsupportedStructure,
      std::move(reason),
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
    return tl::unexpected(
        cache
            ? cannot_decode(
                  "the model keeps no cache, so it cannot decode step by step")
            : cache.error());
  }
  std::vector<mx::array> parts{*logits};
  for (int i = from; i < inputs.ids.columns; ++i) {
    auto step = session->step(columns(ids, i, i + 1));
    if (!step) {
      return step;
    }
    parts.push_back(*step);
  }
  mx::array out = mx::concatenate(parts, 1);
  if (out.shape(1) != inputs.ids.columns) {
    return tl::unexpected(
        cannot_decode("the model answers logits of some positions only"));
  }
  return out;
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

/// A model with what watches it.
struct Watched {
  eval::Interpreter interp;
  std::optional<trace::Recorder> recorder;
  library::LoadedModel loaded;
  std::optional<library::Capture> capture;
};

library::Evaluated<void> load(
    Watched& w,
    const RunOptions& options,
    const std::filesystem::path& directory,
    torch::Dtype dtype) {
  const RunViews& views = options.views;
  if (views.need_trace()) {
    w.recorder.emplace(w.interp);
  }
  auto loaded = library::load_model(w.interp, directory, dtype);
  if (!loaded) {
    return tl::unexpected(loaded.error());
  }
  w.loaded = *loaded;
  if (w.recorder) {
    w.recorder->built(w.loaded.model);
  }
  if (!views.layers.empty()) {
    auto capture = library::Capture::start(
        w.interp,
        w.loaded.model,
        views.modules,
        options.decode_from.has_value());
    if (!capture) {
      return tl::unexpected(capture.error());
    }
    w.capture = *capture;
  }
  return {};
}

/// Tells what was asked for besides the logits, and adds it to the answer.
base::Result<void>
show(Watched& w, const RunViews& views, Console& console, Json& answer) {
  if (w.capture) {
    const auto tensors = w.capture->tensors();
    if (!tensors) {
      return base::fail(tensors.error().message);
    }
    if (auto written = write_layers(views.layers, *tensors); !written) {
      return written;
    }
    console.say(fmt::format("{}: {} tensors", views.layers, tensors->size()));
    answer["layers"] = views.layers;
  }
  if (views.dump == "ast") {
    const auto text = dump_syntax(w.interp, w.loaded.model);
    if (!text) {
      return tl::unexpected(text.error());
    }
    console.say(*text);
    answer["ast"] = *text;
  }
  if (!w.recorder) {
    return {};
  }
  const auto trace = w.recorder->finish();
  if (views.dump == "trace") {
    answer["trace"] = trace::print(*trace);
    console.say(answer["trace"].get<std::string>());
  }
  if (!views.explain.empty()) {
    const std::string& name = views.explain;
    const auto lines = trace::explain(*trace, name == "logits" ? "" : name);
    if (!lines) {
      return base::fail(
          "nothing is called " + name,
          "a module's or a parameter's path is meant, or `logits`; near it: " +
              nearest_names(*trace, name));
    }
    console.say(trace::to_text(*lines));
    answer["explain"] = to_json(*lines);
  }
  return {};
}

ExitCode evaluate(
    const RunOptions& options,
    const Inputs& inputs,
    const std::filesystem::path& library,
    const std::filesystem::path& directory,
    torch::Dtype dtype,
    Console& console) {
  console.progress().begin("evaluating " + options.model);
  Watched w;
  library::install_library(w.interp, library.string());
  if (auto loaded = load(w, options, directory, dtype); !loaded) {
    return refuse(console, loaded.error());
  }
  const auto logits =
      compute(w.interp, w.loaded.model, inputs, options.decode_from);
  console.progress().end();
  if (!logits) {
    return refuse(console, logits.error());
  }
  const auto& shape = logits->shape();
  Json answer = {
      {"schema", 1},
      {"logits", options.logits},
      {"shape", {shape[0], shape[1], shape[2]}},
      {"transformers", library::transformers_version(library.string())},
      {"unused", w.loaded.weights.unused}};
  if (torch::is_half(dtype)) {
    answer["emulated"] = "each result is computed in float32 and rounded";
  }
  if (!options.logits.empty()) {
    if (auto written = write(options.logits, *logits); !written) {
      return console.fail(written.error());
    }
    console.say(fmt::format(
        "{}: logits of {} x {} ids over {} tokens",
        options.logits,
        shape[0],
        shape[1],
        shape[2]));
  }
  for (const std::string& name : w.loaded.weights.unused) {
    console.say("unused: " + name);
  }
  if (auto shown = show(w, options.views, console, answer); !shown) {
    return console.fail(shown.error());
  }
  console.result(answer);
  return ExitCode::Done;
}

ExitCode
run(const RunOptions& options, const Common& common, Console& console) {
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
  if (options.logits.empty() && !options.views.any()) {
    return console.fail(
        {"nothing is asked for",
         "--logits, --layers, --explain or --dump says what to tell"},
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
  return evaluate(
      options, *inputs, *transformers, directory->path, *dtype, console);
}

}  // namespace

Run verb_run(CLI::App& app, const Common& common) {
  auto options = std::make_shared<RunOptions>();
  app.add_option("model", options->model, "a checkpoint or a model type")
      ->type_name("MODEL")
      ->required();
  app.add_option("--ids", options->ids, "token ids: 1,2,3; rows split by ';'")
      ->required();
  app.add_option("--mask", options->mask, "1 or 0 for each id, 0 for padding");
  app.add_option("--logits", options->logits, "where the logits go")
      ->type_name("FILE.npy");
  app.add_option(
      "--decode-from",
      options->decode_from,
      "prefill this many ids, then go on step by step with a cache");
  app.add_option("--dtype", options->dtype, "what to compute in")
      ->capture_default_str();
  RunViews& views = options->views;
  app.add_option(
         "--layers", views.layers, "where modules' inputs and outputs go")
      ->type_name("FILE.safetensors");
  app.add_option("--modules", views.modules, "a pattern on paths for --layers")
      ->type_name("REGEX");
  app.add_option(
         "--explain",
         views.explain,
         "the source lines behind a module, a parameter or `logits`")
      ->type_name("NAME");
  app.add_option("--dump", views.dump, "the source as read, or what it did")
      ->check(CLI::IsMember({"ast", "trace"}));
  return [options, &common](Console& console) {
    return run(*options, common, console);
  };
}

}  // namespace portwright::cli
