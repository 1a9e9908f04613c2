#include "emit/equal_modules.h"

#include <gmock/gmock.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;

struct Written {
  Lines init, call;
};

Written
written(Lines init, Lines call, const std::string& count = "args.heads") {
  write_for_each(init, call, [&](int) { return count; });
  return {init, call};
}

const Lines kInit{
    "self.norms = [nn.LayerNorm(dim, eps=1e-5), nn.LayerNorm(dim, eps=1e-5)]"};
const Lines kCall{
    "h, h2 = mx.split(x, 2, axis=1)",
    "return mx.concatenate([self.norms[0](h), self.norms[1](h2)], axis=1)"};

TEST(EqualModules, AreWrittenForAsManyAsThereAre) {
  const auto out = written(kInit, kCall);
  EXPECT_THAT(
      out.init,
      ElementsAre("self.norms = [nn.LayerNorm(dim, eps=1e-5) for _ in "
                  "range(args.heads)]"));
  EXPECT_THAT(
      out.call,
      ElementsAre(
          "parts = mx.split(x, len(self.norms), axis=1)",
          "return mx.concatenate([norm(part) for norm, part in "
          "zip(self.norms, parts)], axis=1)"));
}

TEST(EqualModules, StayWhereNothingSaysHowMany) {
  EXPECT_EQ(written(kInit, kCall, "").call, kCall);
}

TEST(EqualModules, StayWhereTheyAreMadeInDifferentWays) {
  const Lines init{
      "self.norms = [nn.LayerNorm(dim), nn.LayerNorm(args.other)]"};
  EXPECT_EQ(written(init, kCall).call, kCall);
}

TEST(EqualModules, StayWhereAPartIsReadAside) {
  Lines call = kCall;
  call[1] = "return h2 + mx.concatenate([self.norms[0](h), self.norms[1](h2)], "
            "axis=1)";
  EXPECT_EQ(written(kInit, call).call, call);
}

TEST(EqualModules, StayWhereTheOrderIsAnother) {
  Lines call = kCall;
  call[1] =
      "return mx.concatenate([self.norms[1](h), self.norms[0](h2)], axis=1)";
  EXPECT_EQ(written(kInit, call).call, call);
}

}  // namespace
}  // namespace portwright::emit
