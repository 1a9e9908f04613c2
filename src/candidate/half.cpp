#include "candidate/half.h"

#include <mlx/mlx.h>

#include "candidate/core_module.h"
#include "candidate/proving.h"
#include "library/config_json.h"

namespace portwright::candidate {

namespace mx = mlx::core;
using eval::Interpreter;
using eval::Value;

namespace {

/// Enough ids for a mask, few enough for a millisecond; and several rows, as a
/// token that is routed otherwise spoils those after it. Where too many of the
/// few rows are spoiled to tell, many tell.
constexpr int kRows = 3, kManyRows = 24, kLength = 7;

/// The source in bfloat16 and what it answered.
struct Gold {
  Value model, dtypes;
  std::optional<mx::array> logits, exact;  // exact: the same weights, float32
};

Gold evaluate_source(
    Interpreter& interp,
    const nlohmann::json& config,
    const Value& source,
    const mx::array& ids) {
  Gold out;
  out.model = source_like(interp, config, source, torch::Dtype::BFloat16);
  out.exact = value_or_throw(library::forward(interp, source, ids));
  out.dtypes =
      interp.call(function(interp, kTheirs, "watch_dtypes"), {out.model});
  out.logits = value_or_throw(library::forward(interp, out.model, ids));
  return out;
}

/// Root mean square of a - b over that of b at each position of (B, T, V), the
/// median of all: a token that is routed otherwise says nothing of the rest.
double distance(const mx::array& a, const mx::array& b) {
  const mx::array wide = mx::astype(a, mx::float32);
  const mx::array at_each = mx::sqrt(
      mx::mean(mx::square(wide - b), -1) / mx::mean(mx::square(b), -1));
  return mx::median(mx::reshape(at_each, {-1})).item<float>();
}

std::string differing_dtypes(const Value& got, const Value& wanted) {
  std::string out;
  for (const auto& e : got.get<eval::Dict>()->entries()) {
    const Value* other =
        e.key.defined() ? wanted.get<eval::Dict>()->find(e.key.str()) : nullptr;
    // The other way round, as where a model keeps its residuals in float32,
    // mlx-lm knowingly differs; the distance below says whether it matters.
    if (other && e.value.str() == "float32" && other->str() != "float32") {
      out += (out.empty() ? "" : ", ") + e.key.str() + " answers " +
             e.value.str() + ", in the source " + other->str();
    }
  }
  return out;
}

}  // namespace

namespace {

ProofCheck check_rows(
    Interpreter& interp,
    const Value& module,
    const nlohmann::json& config,
    const Value& source,
    int rows) {
  ProofCheck out{"bfloat16", 0, "", false};
  const mx::array ids = ids_for(vocabulary_of(interp, source), rows, kLength);
  const auto gold = library::guarded(
      interp, [&] { return evaluate_source(interp, config, source, ids); });
  if (!gold) {
    out.skipped = true;
    out.reason = "the source does not run in bfloat16: " + gold.error().message;
    return out;
  }
  const Value port = interp.call(
      function(interp, kOurs, "load"),
      {module,
       library::to_value(config),
       interp.call(function(interp, kTheirs, "checkpoint"), {gold->model})});
  const Value dtypes =
      interp.call(function(interp, kOurs, "watch_dtypes"), {port});
  const mx::array logits = array_of(
      interp,
      interp.call(port, {array_value(interp, mx::astype(ids, mx::int32))}));
  out.value = distance(logits, *gold->exact);
  const double floor = distance(*gold->logits, *gold->exact);
  out.reason = differing_dtypes(dtypes, gold->dtypes);
  if (out.value > 3 * floor) {
    out.reason += fmt::format(
        "{}is {:.2g} from float32, the source in bfloat16 {:.2g}",
        out.reason.empty() ? "" : "; ",
        out.value,
        floor);
  }
  return out;
}

}  // namespace

ProofCheck check_half(
    Interpreter& interp,
    const Value& module,
    const nlohmann::json& config,
    const Value& source) {
  auto few = check_rows(interp, module, config, source, kRows);
  return few.skipped || few.reason.empty()
             ? few
             : check_rows(interp, module, config, source, kManyRows);
}

}  // namespace portwright::candidate
