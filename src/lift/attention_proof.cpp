#include "lift/attention_proof.h"

#include "lift/proof.h"
#include "trace/replay.h"

namespace portwright::lift {

namespace {

/// softmax(cap * tanh(q k^T * scale / cap) + mask) v, written out.
mx::array capped(
    const Attention& a,
    const mx::array& q,
    const mx::array& k,
    const mx::array& v,
    const std::optional<mx::array>& mask) {
  const int repeats = q.shape(1) / k.shape(1);
  auto number = [&](double x) {
    return mx::array(static_cast<float>(x), q.dtype());
  };
  auto scores = mx::matmul(
      mx::multiply(q, number(a.scale_value())),
      mx::swapaxes(mx::repeat(k, repeats, 1), -1, -2));
  const auto cap = number(a.softcap.as_double());
  scores = mx::multiply(mx::tanh(mx::divide(scores, cap)), cap);
  if (mask) {
    scores = mx::add(scores, *mask);
  }
  return mx::matmul(mx::softmax(scores, -1, true), mx::repeat(v, repeats, 1));
}

/// 0 or the smallest number, of bfloat16 too.
mx::array added_mask(const mx::array& open) {
  constexpr float kShut = -3.3895314e38f;
  return mx::where(open, mx::array(0.0f), mx::array(kShut));
}

/// What is open to each query: the first key, and others.
mx::array random_mask(const mx::Shape& shape, uint64_t seed) {
  const auto open = mx::random::bernoulli(0.6f, shape, mx::random::key(seed));
  const auto first = mx::equal(mx::arange(shape.back()), mx::array(0));
  return mx::logical_or(open, first);
}

/// The fused form compared with the recorded one.
class Proof {
 public:
  Proof(
      eval::Interpreter& interp,
      const Trace& trace,
      const Flows& flows,
      const Attention& a)
      : interp_(interp), trace_(trace), a_(a) {
    // Scores of the size of the cap, or a cap could not be told from none.
    const float size = a.softcap.defined() ? 3.0f : 1.0f;
    give(a.queries, 11, size);
    give(a.keys, 12, size);
    give(a.values, 13);
    for (ValueId id : a.biases) {
      // A mask may be scaled with the scores it is added to, or be inverted.
      const ValueId origin = mask_origin(trace, flows, id);
      biases_.push_back(origin ? origin : id);
      if (origin) {
        const auto open = random_mask(shape_of(trace, origin), 14 + id);
        const bool as_it_is = trace.info(origin).dtype == torch::Dtype::Bool;
        given_.insert_or_assign(origin, as_it_is ? open : added_mask(open));
      } else {
        give(id, 14 + id);
      }
    }
    if (a.sinks) {
      give(a.sinks, 15);
    }
  }

  bool holds(const trace::Twin* half) const {
    const auto& q = given_.at(a_.queries);
    const auto& k = given_.at(a_.keys);
    if (k.shape(1) == 0 || k.shape(1) != given_.at(a_.values).shape(1) ||
        q.shape(1) % k.shape(1) != 0 || (a_.softcap.defined() && a_.sinks)) {
      return false;
    }
    trace::Replay replay(interp_, trace_);
    for (const auto& [id, x] : given_) {
      replay.replace(id, x);
    }
    auto form = [&](const Given& given) { return fused(given); };
    return relative_error(form(given_), replay.compute(a_.output)) <
               kTolerance &&
           agree_in_half(interp_, trace_, half, given_, a_.output, form);
  }

 private:
  void give(ValueId id, uint64_t seed, float size = 1) {
    given_.insert_or_assign(id, random(shape_of(trace_, id), seed, size));
  }

  mx::array fused(const Given& given) const {
    const auto& q = given.at(a_.queries);
    const auto& k = given.at(a_.keys);
    const auto& v = given.at(a_.values);
    std::optional<mx::array> mask, sinks;
    for (ValueId id : biases_) {
      auto added = given.at(id);
      if (added.dtype() == mx::bool_) {
        added = added_mask(added);
      }
      if (added.ndim() == 3 && added.shape(0) == q.shape(0) * q.shape(1)) {
        added = mx::unflatten(added, 0, {q.shape(0), q.shape(1)});
      }
      mask = mask ? mx::add(*mask, added) : added;
    }
    if (mask) {
      mask = mx::astype(*mask, q.dtype());
    }
    if (a_.softcap.defined()) {
      return capped(a_, q, k, v, mask);
    }
    if (a_.sinks) {
      sinks = mx::astype(given.at(a_.sinks), q.dtype());
    }
    if (mask) {
      mask = mx::broadcast_to(
          *mask, {q.shape(0), q.shape(1), q.shape(2), k.shape(2)});
    }
    return mx::fast::scaled_dot_product_attention(
        q, k, v, static_cast<float>(a_.scale_value()), "", mask, sinks);
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  const Attention& a_;
  Given given_;
  std::vector<ValueId> biases_;
};

}  // namespace

bool equals_fused(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Attention& attention,
    const trace::Twin* half) {
  try {
    return Proof(interp, trace, flows, attention).holds(half);
  } catch (const std::invalid_argument&) {  // shapes that MLX cannot broadcast
    return false;
  }
}

}  // namespace portwright::lift
