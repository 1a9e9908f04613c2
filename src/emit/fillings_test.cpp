#include "emit/fillings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

std::string replaced(std::string text, const char* from, const char* to) {
  text.replace(text.find(from), std::string_view(from).size(), to);
  return text;
}

const std::string kText = R"(import mlx.core as mx
import mlx.nn as nn

from .base import BaseModelArgs


class ModelArgs(BaseModelArgs):
    size: int = 4

    def __post_init__(self):
        pass


class MLP(nn.Module):
    def __call__(self, x):
        raise NotImplementedError("hole 1f")


class Model(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.mlp = MLP()

    def __call__(self, x):
        return self.mlp(x)
)";
constexpr const char* kStub = "raise NotImplementedError(\"hole 1f\")";
constexpr const char* kFilling = "return mx.exp(x)";

const Draft kDraft{kText, {{"MLP", "1f"}}};

Refilled
refilled(const Draft& base, const std::string& edited, const Draft& fresh) {
  return refill(base, edited, fresh).value();
}

TEST(Fillings, AStubIsOpen) {
  const auto out = refilled(kDraft, kText, kDraft);
  EXPECT_THAT(out.open, ElementsAre("MLP"));
  EXPECT_THAT(out.kept, IsEmpty());
  EXPECT_EQ(out.text, kText);
}

TEST(Fillings, AFilledClassStaysWithWhatItNeeds) {
  std::string edited = replaced(kText, kStub, kFilling);
  edited = replaced(edited, "import mlx.core", "import math\nimport mlx.core");
  edited =
      replaced(edited, "size: int = 4", "size: int = 4\n    eps: float = 1");
  edited = replaced(
      edited, "class MLP", "def twice(x):\n    return 2 * x\n\n\nclass MLP");
  Draft fresh = kDraft;
  fresh.text =
      replaced(fresh.text, "return self.mlp(x)", "return x + self.mlp(x)");
  fresh.text = replaced(fresh.text, "size: int = 4", "width: int = 4");
  const auto out = refilled(kDraft, edited, fresh);
  EXPECT_THAT(out.kept, ElementsAre("MLP"));
  EXPECT_THAT(out.open, IsEmpty());
  EXPECT_THAT(out.outdated, IsEmpty());
  for (const char* line :
       {"import math\n",
        kFilling,
        "    eps: float = 1\n    width: int = 4\n",
        "def twice(x):\n    return 2 * x\n\n\nclass MLP",
        "return x + self.mlp(x)"}) {
    EXPECT_THAT(out.text, HasSubstr(line));
  }
}

TEST(Fillings, AHoleOfAnotherConstructIsOpenAgain) {
  Draft fresh = kDraft;
  fresh.text = replaced(fresh.text, "hole 1f", "hole 2a");
  fresh.holes["MLP"] = "2a";
  const auto out = refilled(kDraft, replaced(kText, kStub, kFilling), fresh);
  EXPECT_THAT(out.open, ElementsAre("MLP"));
  EXPECT_THAT(
      out.outdated, ElementsAre(Pair("MLP", "what it stands for has changed")));
  EXPECT_THAT(out.text, Not(HasSubstr(kFilling)));
}

TEST(Fillings, AFillingOfWhatIsTranslatedNowIsTold) {
  Draft fresh{replaced(kText, kStub, "return mx.exp(1.0 * x)"), {}};
  const auto out = refilled(kDraft, replaced(kText, kStub, kFilling), fresh);
  EXPECT_THAT(out.outdated, ElementsAre(Pair("MLP", "it is translated now")));
  EXPECT_EQ(out.text, fresh.text);
}

TEST(Fillings, WhatBothChangedIsTold) {
  Draft fresh = kDraft;
  fresh.text =
      replaced(fresh.text, "return self.mlp(x)", "return -self.mlp(x)");
  const auto out = refilled(
      kDraft,
      replaced(kText, "return self.mlp(x)", "return self.mlp(x) + 1"),
      fresh);
  EXPECT_THAT(
      out.outdated,
      ElementsAre(Pair("Model.__call__", "the draft has another one")));
  EXPECT_EQ(out.text, fresh.text);
}

TEST(Fillings, AFillingThatStillRaisesIsOpen) {
  const auto out = refilled(
      kDraft,
      replaced(
          kText,
          kStub,
          "if x is None:\n            return x\n        raise "
          "NotImplementedError(\"hole 1f\")"),
      kDraft);
  EXPECT_THAT(out.open, ElementsAre("MLP"));
  EXPECT_THAT(out.text, HasSubstr("if x is None"));
}

TEST(Fillings, BrokenTextIsToldByItsLine) {
  const auto out = refill(kDraft, "class MLP(:\n", kDraft);
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error().message, HasSubstr("line 1"));
}

}  // namespace
}  // namespace portwright::emit
