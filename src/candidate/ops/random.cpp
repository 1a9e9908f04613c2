#include "candidate/op.h"

namespace portwright::candidate {
namespace {

/// Without a key: weights that are about to be replaced. They are never
/// computed, and every run draws the same.
mx::array key_of(Call& c, size_t i) {
  return c.has(i) ? c.array(i) : mx::random::key(0);
}

const OpSpec kRandomOps[] = {
    {"seed(seed)", kRandom, [](Call&) { return Value::none(); }},
    {"key(seed)",
     kRandom,
     [](Call& c) { return c.make(mx::random::key(c.integer(0))); }},
    {"uniform(low=0, high=1, shape=(), dtype=None, key=None)",
     kRandom,
     [](Call& c) {
       const mx::Dtype type = c.dtype(3, mx::float32);
       return c.make(mx::random::uniform(
           c.operand(0, type),
           c.operand(1, type),
           c.shape(2),
           type,
           key_of(c, 4)));
     }},
    {"normal(shape=(), dtype=None, loc=None, scale=None, key=None)",
     kRandom,
     [](Call& c) {
       const mx::Dtype type = c.dtype(1, mx::float32);
       const auto number = [&](size_t i) {
         return c.has(i) ? std::optional(c.operand(i, type)) : std::nullopt;
       };
       return c.make(mx::random::normal(
           c.shape(0), type, number(2), number(3), key_of(c, 4)));
     }},
};

}  // namespace

std::span<const OpSpec> random_ops() {
  return kRandomOps;
}

}  // namespace portwright::candidate
