#include "emit/branches.h"

#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

TEST(Branches, WriteOnceWhatBothBeginAndEndWith) {
  const Lines expected{
      "scores = take(probs)",
      "if self.norm:",
      "    scores = scores / scores.sum()",
      "return scores.astype(x.dtype)"};
  EXPECT_EQ(
      with_shared_ends(
          {"if self.norm:",
           "    scores = take(probs)",
           "    scores = (scores / scores.sum()).astype(x.dtype)",
           "else:",
           "    scores = take(probs).astype(x.dtype)",
           "return scores"}),
      expected);
}

TEST(Branches, ConvertAfterBothWhatTheyMakeOtherwise) {
  const Lines expected{
      "if self.sigmoid:",
      "    scores = mx.sigmoid(gates)",
      "else:",
      "    scores = mx.softmax(gates, axis=-1)",
      "scores = scores.astype(x.dtype)"};
  EXPECT_EQ(
      with_shared_ends(
          {"if self.sigmoid:",
           "    scores = mx.sigmoid(gates).astype(x.dtype)",
           "else:",
           "    scores = mx.softmax(gates, axis=-1).astype(x.dtype)"}),
      expected);
}

TEST(Branches, StayWhereTheyShareNothing) {
  const std::vector<Lines> texts{
      // other dtypes, other names
      {"if self.a:",
       "    h = f(x).astype(x.dtype)",
       "else:",
       "    h = g(x).astype(mx.float32)"},
      {"if self.a:",
       "    h = f(x).astype(x.dtype)",
       "else:",
       "    y = g(x).astype(x.dtype)"},
      // the dtype is that of the value itself
      {"if self.a:",
       "    x = f(x).astype(x.dtype)",
       "else:",
       "    x = g(x).astype(x.dtype)"},
      // the test reads what both make
      {"if cache is None:",
       "    cache = make()",
       "    h = f(x)",
       "else:",
       "    cache = make()",
       "    h = g(x)"},
      // a second test, and one branch alone
      {"if self.a:",
       "    h = f(x)",
       "    y = g(h)",
       "elif self.b:",
       "    h = f(x)",
       "else:",
       "    h = f(x)",
       "    y = h"},
      {"if self.a:", "    h = f(x).astype(x.dtype)", "return h"}};
  for (const Lines& text : texts) {
    EXPECT_EQ(with_shared_ends(text), text);
  }
}

}  // namespace
}  // namespace portwright::emit
