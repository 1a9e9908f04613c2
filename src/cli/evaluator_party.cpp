#include "cli/evaluator_party.h"

#include "checkpoint/safetensors.h"
#include "cli/token_ids.h"
#include "library/install.h"
#include "library/model.h"

namespace portwright::cli {

namespace fs = std::filesystem;
namespace mx = mlx::core;
using verify::Outcome;
using verify::Trouble;

struct EvaluatorParty::Loaded {
  eval::Interpreter interp;
  eval::Value model;
  std::optional<base::TemporaryDirectory> scratch;
  int files = 0;
};

EvaluatorParty::EvaluatorParty(fs::path checkpoint, fs::path transformers)
    : checkpoint_(std::move(checkpoint)),
      transformers_(std::move(transformers)) {}

EvaluatorParty::~EvaluatorParty() = default;

const std::string& EvaluatorParty::name() const {
  static const std::string kName = "evaluator";
  return kName;
}

namespace {

tl::unexpected<Trouble> trouble(std::string kind, std::string message) {
  return tl::unexpected(Trouble{
      Trouble::Where::Model,
      std::move(kind),
      std::move(message),
      "",
      "evaluator"});
}

mx::array ids_array(const std::vector<verify::Ids>& rows) {
  std::vector<int64_t> flat;
  for (const auto& row : rows) {
    flat.insert(flat.end(), row.begin(), row.end());
  }
  return mx::array(
      flat.data(),
      {static_cast<int>(rows.size()), static_cast<int>(rows.front().size())},
      mx::int64);
}

/// The last position of the prefill, then each single step.
library::Evaluated<mx::array> decode(
    eval::Interpreter& interp,
    const eval::Value& model,
    const mx::array& ids,
    int prefill) {
  auto session = library::Session::start(interp, model);
  if (!session) {
    return tl::unexpected(session.error());
  }
  auto logits = session->prefill(columns(ids, 0, prefill));
  if (!logits) {
    return logits;
  }
  std::vector<mx::array> parts{columns(*logits, prefill - 1, prefill)};
  for (int i = prefill; i < ids.shape(1); ++i) {
    auto step = session->step(columns(ids, i, i + 1));
    if (!step) {
      return step;
    }
    parts.push_back(*step);
  }
  return mx::concatenate(parts, 1);
}

}  // namespace

Outcome<EvaluatorParty::Loaded*> EvaluatorParty::loaded() {
  if (loaded_) {
    return loaded_.get();
  }
  auto fresh = std::make_unique<Loaded>();
  library::install_library(fresh->interp, transformers_.string());
  auto model = library::load_model(fresh->interp, checkpoint_);
  if (!model) {
    return trouble("load", model.error().message);
  }
  auto scratch = base::TemporaryDirectory::create("portwright-evaluator");
  if (!scratch) {
    return trouble("scratch", scratch.error().message);
  }
  fresh->model = model->model;
  fresh->scratch.emplace(std::move(*scratch));
  loaded_ = std::move(fresh);
  return loaded_.get();
}

Outcome<verify::Run> EvaluatorParty::run(const verify::RunRequest& request) {
  const auto ready = loaded();
  if (!ready) {
    return tl::unexpected(ready.error());
  }
  Loaded& l = **ready;
  const auto ids = ids_array(request.ids);
  auto logits = request.prefill
                    ? decode(l.interp, l.model, ids, request.prefill)
                    : library::forward(l.interp, l.model, ids);
  if (!logits) {
    return trouble("evaluation", logits.error().message);
  }
  const auto values = mx::contiguous(mx::astype(*logits, mx::float32));
  mx::eval(values);
  checkpoint::Tensors tensors;
  checkpoint::TensorView& view = tensors["logits"];
  view.shape.assign(values.shape().begin(), values.shape().end());
  view.data = std::as_bytes(std::span(values.data<float>(), values.size()));
  const fs::path file =
      l.scratch->path() / fmt::format("run{}.safetensors", ++l.files);
  if (auto written = checkpoint::write_safetensors(file, tensors); !written) {
    return trouble("scratch", written.error().message);
  }
  return verify::Run::open(file.string());
}

}  // namespace portwright::cli
