#include "lift/attention.h"

#include "lift/proof.h"
#include "trace/replay.h"

namespace portwright::lift {

using eval::Value;

double Attention::scale_value() const {
  double product = 1;
  for (const Factor& f : scale) {
    product *= f.divides ? 1 / f.value.as_double() : f.value.as_double();
  }
  return product;
}

namespace {

bool named(const OpNode* op, std::initializer_list<std::string_view> names) {
  return op &&
         std::find(names.begin(), names.end(), op->op->name) != names.end();
}

class Search {
 public:
  Search(const Trace& trace, const Flows& flows, const Graph& graph)
      : trace_(trace), flows_(flows), graph_(graph) {}

  std::optional<Attention> from(const OpNode& softmax) {
    Attention found;
    const OpNode* product = matrix_product_after(softmax);
    if (!product || !scores(softmax.inputs[0], found)) {
      return {};
    }
    found.values = ungrouped(product->inputs[1]);
    found.output = product->outputs[0];
    return found;
  }

 private:
  const OpNode* producer(ValueId id) const {
    auto it = graph_.producers.find(id);
    return it == graph_.producers.end() ? nullptr : it->second.op;
  }

  /// Follows the probabilities to the product with the values.
  const OpNode* matrix_product_after(const OpNode& softmax) const {
    ValueId id = softmax.outputs[0];
    for (int steps = 0; steps < 8; ++steps) {
      auto it = graph_.users.find(id);
      if (it == graph_.users.end()) {
        return nullptr;
      }
      const OpNode* next = nullptr;
      for (const OpNode* user : it->second) {
        if (named(user, {"matmul", "bmm"}) && user->inputs[0] == id) {
          return user;
        }
        if (named(user, {"dropout", "to", "type_as", "contiguous", "type"})) {
          next = user;
        }
      }
      if (!next || next->outputs[0] == id) {
        return nullptr;
      }
      id = next->outputs[0];
    }
    return nullptr;
  }

  /// Walks from the softmax's input up to q k^T.
  bool scores(ValueId id, Attention& found) {
    for (int steps = 0; steps < 16; ++steps) {
      const OpNode* op = producer(id);
      if (!op) {
        return false;
      }
      if (named(op, {"matmul", "bmm"})) {
        return product(*op, found);
      }
      if (named(op, {"mul", "div"}) && op->inputs.size() == 1) {
        const Value& factor =
            torch::as_tensor(op->args[0]) ? op->args[1] : op->args[0];
        if (!factor.is_number()) {
          return false;
        }
        const bool divides = named(op, {"div"});
        if (const OpNode* inner = producer(op->inputs[0]);
            !divides && named(inner, {"tanh"})) {
          // cap * tanh(scores / cap)
          const OpNode* over = producer(inner->inputs[0]);
          if (!named(over, {"div"}) || over->inputs.size() != 1 ||
              over->args[1].as_double() != factor.as_double()) {
            return false;
          }
          found.softcap = factor;
          id = over->inputs[0];
          continue;
        }
        found.scale.push_back({factor, divides});
        id = op->inputs[0];
      } else if (named(op, {"add"}) && op->inputs.size() == 2) {
        const bool second = flows_.of(op->inputs[1]) < Flow::Data;
        if (found.mask || flows_.of(op->inputs[second]) >= Flow::Data) {
          return false;
        }
        found.mask = op->inputs[second];
        id = op->inputs[!second];
      } else if (named(op, {"to", "type_as", "float", "dropout"})) {
        id = op->inputs[0];
      } else {
        return false;
      }
    }
    return false;
  }

  bool product(const OpNode& op, Attention& found) {
    const OpNode* transposed = producer(op.inputs[1]);
    if (!named(transposed, {"transpose", "swapaxes", "mT"})) {
      return false;
    }
    found.keys = ungrouped(transposed->inputs[0]);
    found.queries = op.inputs[0];
    if (const OpNode* scaled = producer(found.queries);
        named(scaled, {"mul", "div"}) && scaled->inputs.size() == 1) {
      const Value& factor =
          torch::as_tensor(scaled->args[0]) ? scaled->args[1] : scaled->args[0];
      found.scale.push_back({factor, named(scaled, {"div"})});
      found.queries = scaled->inputs[0];
    }
    return trace_.info(found.queries).shape.size() == 4;
  }

  /// Looks through the repetition of grouped keys or values.
  ValueId ungrouped(ValueId id) const {
    const OpNode* reshape = producer(id);
    if (named(reshape, {"repeat_interleave"})) {
      return reshape->inputs[0];
    }
    if (!named(reshape, {"reshape", "view", "contiguous"})) {
      return id;
    }
    const OpNode* expand = producer(reshape->inputs[0]);
    if (!named(expand, {"expand", "repeat"})) {
      return id;
    }
    const OpNode* insert = producer(expand->inputs[0]);
    return named(insert, {"__getitem__", "getitem", "unsqueeze"})
               ? insert->inputs[0]
               : id;
  }

  const Trace& trace_;
  const Flows& flows_;
  const Graph& graph_;
};

mx::Shape shape_of(const Trace& trace, ValueId id) {
  mx::Shape out;
  for (int64_t size : trace.info(id).shape) {
    out.push_back(static_cast<int>(size));
  }
  return out;
}

/// softmax(cap * tanh(q k^T * scale / cap) + mask) v, written out.
mx::array capped(
    const Attention& a,
    mx::array q,
    mx::array k,
    mx::array v,
    const std::optional<mx::array>& mask) {
  const int repeats = q.shape(1) / k.shape(1);
  k = mx::repeat(k, repeats, 1);
  v = mx::repeat(v, repeats, 1);
  auto scores = mx::multiply(
      mx::matmul(q, mx::swapaxes(k, -1, -2)),
      mx::array(static_cast<float>(a.scale_value())));
  const mx::array cap(static_cast<float>(a.softcap.as_double()));
  scores = mx::multiply(mx::tanh(mx::divide(scores, cap)), cap);
  if (mask) {
    scores = mx::add(scores, *mask);
  }
  return mx::matmul(mx::softmax(scores, -1), v);
}

bool agrees(eval::Interpreter& interp, const Trace& trace, const Attention& a) {
  trace::Replay replay(interp, trace);
  // Scores of the size of the cap, or a cap could not be told from none.
  const float size = a.softcap.defined() ? 3.0f : 1.0f;
  const auto q = random(shape_of(trace, a.queries), 11, size);
  const auto k = random(shape_of(trace, a.keys), 12, size);
  const auto v = random(shape_of(trace, a.values), 13);
  replay.replace(a.queries, q);
  replay.replace(a.keys, k);
  replay.replace(a.values, v);
  std::optional<mx::array> mask;
  if (a.mask) {
    mask = random(shape_of(trace, a.mask), 14);
    replay.replace(a.mask, *mask);
  }
  const auto expected = replay.compute(a.output);
  const auto fused =
      a.softcap.defined()
          ? capped(a, q, k, v, mask)
          : mx::fast::scaled_dot_product_attention(
                q, k, v, static_cast<float>(a.scale_value()), "", mask);
  return relative_error(fused, expected) < kTolerance;
}

}  // namespace

std::optional<Attention> lift_attention(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph) {
  Search search(trace, flows, graph);
  for (const OpNode* op : graph.ops) {
    if (named(op, {"softmax"})) {
      if (auto found = search.from(*op);
          found && agrees(interp, trace, *found)) {
        return found;
      }
    }
  }
  return {};
}

}  // namespace portwright::lift
