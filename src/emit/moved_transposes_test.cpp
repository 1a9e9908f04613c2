#include "emit/moved_transposes.h"

#include <gmock/gmock.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;

TEST(MovedTransposes, ANormOfTheLastAxisTakesHeadsAsTheyCome) {
  EXPECT_THAT(
      with_moved_transposes(
          {"x = self.rope(q).transpose(0, 2, 1, 3)",
           "queries = mx.fast.rms_norm(x, None, self.eps)",
           "return attend(queries.transpose(0, 2, 1, 3))"}),
      ElementsAre(
          "x = self.rope(q)",
          "queries = mx.fast.rms_norm(x, None, self.eps)",
          "return attend(queries)"));
}

TEST(MovedTransposes, OrWhereItsAnswerIsTurnedAtOnce) {
  EXPECT_THAT(
      with_moved_transposes(
          {"x = self.rope(k).transpose(0, 2, 1, 3)",
           "x = mx.fast.rms_norm(x, None, self.eps).transpose(0, 2, 1, 3)",
           "return x"}),
      ElementsAre(
          "x = self.rope(k)",
          "x = mx.fast.rms_norm(x, None, self.eps)",
          "return x"));
}

TEST(MovedTransposes, NothingElseIsGivenThemOtherwise) {
  for (const Lines& lines :
       {Lines{
            "x = self.rope(q).transpose(0, 2, 1, 3)",
            "y = mx.fast.rms_norm(x, None, self.eps)",
            "return x + y.transpose(0, 2, 1, 3)"},
        Lines{
            "x = self.rope(q).transpose(0, 2, 1, 3)",
            "x = self.mix(x)",
            "return x.transpose(0, 2, 1, 3)"},
        Lines{
            "x = self.rope(q).transpose(0, 2, 1, 3)",
            "x = mx.fast.rms_norm(x, None, self.eps)",
            "return x"},
        Lines{
            "x = self.rope(q).transpose(0, 2, 1, 3)",
            "if self.use_norm:",
            "    x = mx.fast.rms_norm(x, None, self.eps)",
            "return x.transpose(0, 2, 1, 3)"}}) {
    EXPECT_EQ(with_moved_transposes(lines), lines);
  }
}

}  // namespace
}  // namespace portwright::emit
