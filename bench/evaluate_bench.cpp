// evaluate_bench --source FILE.py
// evaluate_bench TRANSFORMERS CHECKPOINT ...
// What evaluation costs, one JSON object a line: of a plain Python file, or of
// models: to read and build, to load, to record a prefill, to decode a token.

#include <mlx/mlx.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/allocator.h"
#include "eval/state.h"
#include "library/install.h"
#include "library/model.h"
#include "trace/recorder.h"

namespace {

using namespace portwright;
namespace mx = mlx::core;
using Json = nlohmann::ordered_json;

constexpr int kPrefill = 8;
constexpr int kTokens = 8;

/// Milliseconds of CPU time, whatever else the machine does, and evaluated
/// nodes between two calls of `lap`.
class Watch {
 public:
  explicit Watch(eval::Interpreter& interp) : interp_(interp) {
    lap();
  }
  Json lap() {
    const std::clock_t now = std::clock();
    const uint64_t nodes = interp_.state().steps;
    const Json out = {
        {"ms", 1e3 * static_cast<double>(now - at_) / CLOCKS_PER_SEC},
        {"nodes", nodes - nodes_}};
    at_ = now;
    nodes_ = nodes;
    return out;
  }

 private:
  eval::Interpreter& interp_;
  std::clock_t at_ = 0;
  uint64_t nodes_ = 0;
};

mx::array ids_from(int first, int count) {
  return mx::reshape(
      mx::astype(mx::arange(first, first + count), mx::int64), {1, count});
}

/// The first fault, or nothing.
std::optional<std::string>
measure(const char* library, const char* checkpoint, Json& out) {
  eval::Interpreter interp;
  Watch watch(interp);
  library::install_library(interp, library);
  std::optional<trace::Recorder> recorder(std::in_place, interp);
  const auto fields = library::read_config(checkpoint);
  if (!fields) {
    return fields.error().message;
  }
  const auto config = library::load_config(interp, *fields);
  if (!config) {
    return config.error().message;
  }
  const auto model = library::build_model(interp, *config);
  if (!model) {
    return model.error().message;
  }
  out["build"] = watch.lap();
  if (auto loaded = library::load_weights(interp, *model, checkpoint);
      !loaded) {
    return loaded.error().message;
  }
  out["load"] = watch.lap();
  recorder->built(*model);
  if (auto r = library::forward(interp, *model, ids_from(1, kPrefill)); !r) {
    return r.error().message;
  }
  recorder->finish();
  recorder.reset();
  out["trace"] = watch.lap();
  auto session = library::Session::start(interp, *model);
  if (!session) {
    return session.error().message;
  }
  if (auto r = session->prefill(ids_from(1, kPrefill)); !r) {
    return r.error().message;
  }
  watch.lap();
  for (int i = 0; i < kTokens; ++i) {
    if (auto r = session->step(ids_from(kPrefill + i, 1)); !r) {
      return r.error().message;
    }
  }
  Json decode = watch.lap();
  decode["ms"] = decode["ms"].get<double>() / kTokens;
  decode["nodes"] = decode["nodes"].get<uint64_t>() / kTokens;
  out["token"] = decode;
  return std::nullopt;
}

int run_source(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  eval::Interpreter interp;
  Watch watch(interp);
  try {
    interp.run_source("bench", path, text);
  } catch (const eval::PythonError& error) {
    std::fprintf(stderr, "%s\n", interp.describe(error).message.c_str());
    return 1;
  } catch (const eval::Refusal& refusal) {
    std::fprintf(stderr, "%s\n", refusal.diagnostic.message.c_str());
    return 1;
  }
  std::puts(watch.lap().dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  base::tune_allocator();
  if (argc == 3 && std::string_view(argv[1]) == "--source") {
    return run_source(argv[2]);
  }
  if (argc < 3) {
    std::fprintf(
        stderr,
        "usage: %s --source FILE.py | TRANSFORMERS CHECKPOINT ...\n",
        argv[0]);
    return 2;
  }
  for (int i = 2; i < argc; ++i) {
    Json out = {{"checkpoint", argv[i]}};
    if (const auto fault = measure(argv[1], argv[i], out)) {
      out["fault"] = *fault;
    }
    std::puts(out.dump().c_str());
    std::fflush(stdout);
  }
  return 0;
}
