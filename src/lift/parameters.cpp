#include "lift/parameters.h"

#include "lift/proof.h"
#include "trace/replay.h"

namespace portwright::lift {

namespace {

/// The parameter a value is computed from by operations on it alone; 0 when
/// there is none.
ValueId origin(const Trace& trace, ValueId id) {
  while (trace.info(id).parameter.empty()) {
    const OpNode* op = trace.info(id).producer;
    if (!op || op->inputs.size() != 1) {
      return 0;
    }
    id = op->inputs[0];
  }
  return id;
}

/// The origin of a value that is `map` of it.
template <typename Map>
ValueId origin_under(
    eval::Interpreter& interp,
    const Trace& trace,
    ValueId id,
    const Map& map) {
  const ValueId parameter = origin(trace, id);
  if (!parameter) {
    return 0;
  }
  const auto& sizes = trace.info(parameter).shape;
  const mx::array x = random(mx::Shape(sizes.begin(), sizes.end()), 47);
  trace::Replay replay(interp, trace);
  replay.replace(parameter, x);
  return relative_error(replay.compute(id), map(x)) < kTolerance ? parameter
                                                                 : 0;
}

}  // namespace

ValueId negative_exponential(
    eval::Interpreter& interp,
    const Trace& trace,
    ValueId id) {
  return origin_under(
      interp, trace, id, [](const mx::array& x) { return -mx::exp(x); });
}

ValueId
same_parameter(eval::Interpreter& interp, const Trace& trace, ValueId id) {
  return origin_under(interp, trace, id, [](const mx::array& x) { return x; });
}

}  // namespace portwright::lift
