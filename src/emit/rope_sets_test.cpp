#include "emit/rope_sets.h"

#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

class RopeSets : public ::testing::Test {
 protected:
  /// An instance with these attributes.
  eval::Value config(const std::string& attributes) {
    const eval::Value module(interp_.run_source(
        "config",
        "config.py",
        "class Config:\n    " + attributes + "\nconfig = Config()\n"));
    return interp_.getattr(module, "config");
  }
  std::string text(const std::string& attributes) {
    return interp_.repr(rope_sets(interp_, config(attributes)));
  }

  eval::Interpreter interp_;
};

TEST_F(RopeSets, TakesWhatTheConfigHas) {
  EXPECT_EQ(
      text("rope_parameters = {'rope_theta': 5.0}; rope_theta = 3.0"),
      "{'rope_theta': 5.0}");
  EXPECT_TRUE(
      has_rope_parameters(interp_, config("rope_parameters = {'a': 1}")));
}

TEST_F(RopeSets, BringsFlatFieldsTogether) {
  EXPECT_EQ(
      text("rope_theta = 5.0; rope_scaling = None"),
      "{'rope_type': 'default', 'rope_theta': 5.0}");
  EXPECT_EQ(
      text("rope_theta = 5.0; partial_rotary_factor = 0.5; "
           "rope_scaling = {'type': 'linear', 'factor': 2.0}"),
      "{'type': 'linear', 'factor': 2.0, 'rope_type': 'linear', "
      "'rope_theta': 5.0, 'partial_rotary_factor': 0.5}");
  EXPECT_FALSE(has_rope_parameters(interp_, config("rope_theta = 5.0")));
}

TEST_F(RopeSets, AreNoneWithoutABase) {
  EXPECT_FALSE(
      rope_sets(interp_, config("rope_scaling = None")).is(eval::Kind::Dict));
}

}  // namespace
}  // namespace portwright::emit
