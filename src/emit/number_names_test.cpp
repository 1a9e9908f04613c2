#include "emit/number_names.h"

#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using eval::Provenance;
using eval::Value;
using Kind = Provenance::Kind;

Provenance node(
    Kind kind,
    const char* name,
    const Provenance* left = nullptr,
    const Provenance* right = nullptr) {
  Provenance out{};
  out.kind = kind;
  out.name = base::Symbol(name);
  out.left = left;
  out.right = right;
  return out;
}

std::string name_of(const Value& v, const Provenance& p) {
  return name_of_number(v.with(&p));
}

const Provenance kCount = node(Kind::Config, "n_routed_experts");
const Provenance kGroups = node(Kind::Config, "n_group");
const Provenance kWidth = node(Kind::Config, "hidden_size");
const Provenance kClip = node(Kind::Config, "clip_qkv");

TEST(NumberNames, AreThoseOfFieldsAndKeys) {
  EXPECT_EQ(name_of(Value::integer(64), kWidth), "hidden_size");
  Provenance key{};
  key.kind = Kind::Constant;
  key.text = "'beta_slow'";
  EXPECT_EQ(
      name_of(Value::real(1.5), node(Kind::Index, "", &kWidth, &key)),
      "beta_slow");
}

TEST(NumberNames, TellWhatIsComputed) {
  EXPECT_EQ(
      name_of(Value::integer(4), node(Kind::Binary, "//", &kCount, &kGroups)),
      "experts_per_group");
  EXPECT_EQ(
      name_of(Value::integer(96), node(Kind::Binary, "+", &kWidth, &kGroups)),
      "width");
  EXPECT_EQ(
      name_of(Value::real(8.0), node(Kind::Binary, "**", &kWidth, &kGroups)),
      "scale");
}

TEST(NumberNames, NegativeOnesAreOfTheirField) {
  const Provenance minus = node(Kind::Unary, "-", &kClip);
  const auto whole = negated_number(Value::real(-8.0).with(&minus));
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->as_double(), 8.0);
  EXPECT_EQ(whole->provenance(), &kClip);
  EXPECT_FALSE(negated_number(Value::real(8.0).with(&kClip)));
}

}  // namespace
}  // namespace portwright::emit
