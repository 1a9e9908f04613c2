#include "lift/written_norm.h"

#include <algorithm>

namespace portwright::lift {

using eval::Value;

namespace {

/// Reads the operations of one forward backwards.
class NormReader {
 public:
  NormReader(const Trace& trace, const Flows& flows, const Graph& graph)
      : trace_(trace), flows_(flows), graph_(graph) {}

  std::optional<WrittenNorm> read(ValueId id) const {
    if (auto norm = plain(id)) {
      return norm;
    }
    const OpNode* op = made_by(id, {"mul", "add"});
    if (!op || op->inputs.size() != 2) {
      return {};
    }
    for (size_t i : {0, 1}) {
      const ValueId inner = op->inputs[i], other = op->inputs[1 - i];
      if (!is_only_read_by(inner, *op) || !is_vector(other, inner)) {
        continue;
      }
      auto norm = op->op->name == "mul" ? plain(inner) : read(inner);
      if (!norm) {
        continue;
      }
      if (op->op->name == "mul") {
        norm->weight = other;
        return norm;
      }
      if (norm->centred && norm->weight && !norm->bias) {
        norm->bias = other;
        return norm;
      }
    }
    return {};
  }

 private:
  /// Without weights.
  std::optional<WrittenNorm> plain(ValueId id) const {
    const OpNode* op = made_by(id, {"mul", "div"});
    if (!op || op->inputs.size() != 2) {
      return {};
    }
    const bool product = op->op->name == "mul";
    for (size_t i : {0, 1}) {
      const ValueId x = op->inputs[i];
      auto norm =
          product ? reciprocal_root(op->inputs[1 - i]) : root(op->inputs[1]);
      if (norm && normalises(*norm, x)) {
        return norm;
      }
      if (!product) {
        break;
      }
    }
    return {};
  }

  /// 1 / sqrt(mean + eps), however it is written.
  std::optional<WrittenNorm> reciprocal_root(ValueId id) const {
    if (const OpNode* op = made_by(id, {"rsqrt"})) {
      return sum_with_number(op->inputs[0]);
    }
    if (const OpNode* op = made_by(id, {"pow"})) {
      return is_number(*op, 1, -0.5) ? sum_with_number(op->inputs[0])
                                     : std::nullopt;
    }
    if (const OpNode* op = made_by(id, {"reciprocal"})) {
      return root(op->inputs[0]);
    }
    return {};
  }

  std::optional<WrittenNorm> root(ValueId id) const {
    if (const OpNode* op = made_by(id, {"sqrt"})) {
      return sum_with_number(op->inputs[0]);
    }
    const OpNode* op = made_by(id, {"pow"});
    return op && is_number(*op, 1, 0.5) ? sum_with_number(op->inputs[0])
                                        : std::nullopt;
  }

  std::optional<WrittenNorm> sum_with_number(ValueId id) const {
    const OpNode* op = made_by(id, {"add"});
    if (!op || op->inputs.size() != 1 || !is_number(*op, 2, 1)) {
      return {};  // the third is alpha
    }
    const size_t eps = op->args[0].is_number() ? 0 : 1;
    return op->args[eps].is_number()
               ? std::optional(WrittenNorm{.sum = op, .eps = eps})
               : std::nullopt;
  }

  /// Whether what is added to is the mean square of `x`, or its variance and x
  /// is without its mean.
  bool normalises(WrittenNorm& norm, ValueId x) const {
    const ValueId spread = norm.sum->inputs[0];
    const OpNode* less = made_by(x, {"sub"});
    const bool about_mean = less && less->inputs.size() == 2 &&
                            is_number(*less, 2, 1) &&
                            is_mean_of(less->inputs[1], less->inputs[0]);
    if (const OpNode* op = made_by(spread, {"var"})) {
      norm.centred = true;
      norm.x = op->inputs[0];
      return about_mean && less->inputs[0] == norm.x && is_biased(*op) &&
             is_along_last(*op);
    }
    const OpNode* mean = made_by(spread, {"mean"});
    const auto base =
        mean && is_along_last(*mean) ? squared(mean->inputs[0]) : std::nullopt;
    if (!base || (*base != x && !is_same_difference(*base, x))) {
      return false;
    }
    norm.centred = about_mean;
    norm.x = about_mean ? less->inputs[0] : x;
    return true;
  }

  /// As where x - mean is written twice.
  bool is_same_difference(ValueId a, ValueId b) const {
    const OpNode* first = made_by(a, {"sub"});
    const OpNode* second = made_by(b, {"sub"});
    return first && second && first->inputs.size() == 2 &&
           first->inputs == second->inputs && is_number(*first, 2, 1) &&
           is_number(*second, 2, 1);
  }

  bool is_mean_of(ValueId id, ValueId x) const {
    const OpNode* op = made_by(id, {"mean"});
    return op && op->inputs[0] == x && is_along_last(*op);
  }

  std::optional<ValueId> squared(ValueId id) const {
    const OpNode* op = made_by(id, {"square", "pow", "mul"});
    if (!op || (op->op->name == "pow" && !is_number(*op, 1, 2)) ||
        (op->op->name == "mul" &&
         (op->inputs.size() != 2 || op->inputs[0] != op->inputs[1]))) {
      return {};
    }
    return op->inputs[0];
  }

  /// A reduction of the last axis, which stays.
  bool is_along_last(const OpNode& op) const {
    const auto& in = trace_.info(op.inputs[0]).shape;
    auto out = trace_.info(op.outputs[0]).shape;
    if (in.empty() || out.size() != in.size() || out.back() != 1) {
      return false;
    }
    Value axis = op.args[static_cast<size_t>(op.op->param("dim"))];
    if (axis.is(eval::Kind::Tuple) || axis.is(eval::Kind::List)) {
      const auto& axes = axis.is(eval::Kind::Tuple)
                             ? axis.get<eval::Tuple>()->items
                             : axis.get<eval::List>()->items;
      if (axes.size() != 1) {
        return false;
      }
      axis = Value(axes.front());
    }
    return axis.is_int() &&
           (axis.as_int() == -1 ||
            axis.as_int() == static_cast<int64_t>(in.size()) - 1);
  }

  static bool is_biased(const OpNode& op) {
    const int correction = op.op->param("correction");
    const int unbiased = op.op->param("unbiased");
    const auto given = [&](int i) {
      return i >= 0 && !op.args[static_cast<size_t>(i)].is_none();
    };
    if (given(correction)) {
      return is_number(op, static_cast<size_t>(correction), 0);
    }
    return given(unbiased) && !op.args[static_cast<size_t>(unbiased)].as_bool();
  }

  /// True where an argument is that number, as the source has it written.
  static bool is_number(const OpNode& op, size_t i, double number) {
    return i < op.args.size() && op.args[i].is_number() &&
           op.args[i].as_double() == number && !op.args[i].provenance();
  }

  /// A weight of as many elements as the last axis of `x` has.
  bool is_vector(ValueId id, ValueId x) const {
    const auto& shape = trace_.info(id).shape;
    return flows_.of(id) == Flow::Parameter && shape.size() == 1 &&
           shape.back() == trace_.info(x).shape.back();
  }

  /// Conversions are the value itself.
  bool is_only_read_by(ValueId id, const OpNode& op) const {
    const auto among = [&](const std::vector<ValueId>& values) {
      return std::find(values.begin(), values.end(), id) != values.end();
    };
    const auto it = graph_.users.find(id);
    return it != graph_.users.end() && !among(graph_.frame->outputs) &&
           std::none_of(
               graph_.calls.begin(),
               graph_.calls.end(),
               [&](const Frame* call) { return among(call->inputs); }) &&
           std::all_of(
               it->second.begin(), it->second.end(), [&](const OpNode* user) {
                 return user == &op ||
                        user->outputs == std::vector<ValueId>{id};
               });
  }

  const OpNode* made_by(
      ValueId id,
      std::initializer_list<std::string_view> names) const {
    const auto it = graph_.producers.find(id);
    if (it == graph_.producers.end() || !it->second.op) {
      return nullptr;
    }
    const OpNode* op = it->second.op;
    return std::find(names.begin(), names.end(), op->op->name) != names.end()
               ? op
               : nullptr;
  }

  const Trace& trace_;
  const Flows& flows_;
  const Graph& graph_;
};

}  // namespace

std::optional<WrittenNorm> written_norm(
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    ValueId id) {
  return NormReader(trace, flows, graph).read(id);
}

}  // namespace portwright::lift
