#include <gtest/gtest.h>

#include "eval/interpreter.h"

namespace portwright::eval {
namespace {

/// Runs `source` with `c`, an object whose fields come from a config, and
/// answers the provenance of its variable `r` as Python text.
std::string provenance_of(const std::string& source) {
  Interpreter interp;
  auto module = interp.run_source("fields", "fields.py", R"(
class Config:
    n = 8
    k = 3
    eps = 0.5
    name = "Silu"
    missing = None
    kinds = ["full", "sliding", "full"]
    flag = True
    rope = {"theta": 1e4, "inner": {"k": 1}}
c = Config()
)");
  interp.mark_config(interp.getattr(Value(module), "c"), "");
  Observer recording;  // choices are followed on both sides
  interp.observer = &recording;
  auto main =
      interp.run_source("main", "main.py", "from fields import c\n" + source);
  interp.observer = nullptr;
  const Value r = interp.getattr(Value(main), "r");
  return r.provenance() ? to_string(r.provenance()) : "-";
}

TEST(Provenance, FollowsArithmetic) {
  EXPECT_EQ(provenance_of("r = c.n // c.k * 2"), "config.n // config.k * 2");
  EXPECT_EQ(provenance_of("r = c.n * (c.k + 1)"), "config.n * (config.k + 1)");
  EXPECT_EQ(provenance_of("r = c.n - (c.k - 1)"), "config.n - (config.k - 1)");
  EXPECT_EQ(provenance_of("r = -c.n ** 2"), "-config.n ** 2");
  EXPECT_EQ(provenance_of("r = (-c.n) ** 2"), "(-config.n) ** 2");
  EXPECT_EQ(provenance_of("r = c.n ** -0.5"), "config.n ** -0.5");
  EXPECT_EQ(provenance_of("r = 2 + 3"), "-");
}

TEST(Provenance, FollowsItemsOfDictionaries) {
  EXPECT_EQ(
      provenance_of("r = c.rope['theta'] / 2.0"), "config.rope['theta'] / 2.0");
  EXPECT_EQ(provenance_of("r = c.rope['inner']['k']"), "-");
}

TEST(Provenance, FollowsComparisonsAndLogic) {
  EXPECT_EQ(provenance_of("r = c.n > 4"), "config.n > 4");
  EXPECT_EQ(provenance_of("r = not c.flag"), "not config.flag");
  EXPECT_EQ(provenance_of("r = c.missing is None"), "config.missing is None");
  EXPECT_EQ(
      provenance_of("r = c.name in ('Silu', 'gelu')"),
      "config.name in ('Silu', 'gelu')");
  EXPECT_EQ(
      provenance_of("r = (c.n == 8) == c.flag"),
      "(config.n == 8) == config.flag");
}

TEST(Provenance, FollowsBothSidesOfAChoice) {
  EXPECT_EQ(
      provenance_of("r = c.n if c.flag else c.k"),
      "config.n if config.flag else config.k");
  EXPECT_EQ(
      provenance_of("r = c.missing or c.n * 2"),
      "config.missing or config.n * 2");
  EXPECT_EQ(provenance_of("r = c.k or c.n * 2"), "config.k or config.n * 2");
  EXPECT_EQ(provenance_of("r = c.missing or 5"), "config.missing or 5");
  EXPECT_EQ(
      provenance_of("r = c.rope.get('slow') or 5"),
      "config.rope.get('slow') or 5");
  EXPECT_EQ(
      provenance_of("r = int(c.n * 1.5) if c.flag else len(c.kinds)"),
      "int(config.n * 1.5) if config.flag else len(config.kinds)");
  // A side that does more than read is left alone.
  EXPECT_EQ(provenance_of("r = c.n if c.flag else c.kinds.pop()"), "config.n");
  EXPECT_EQ(provenance_of("r = c.n if c.flag else c.absent"), "config.n");
  // What a parameter holds was its caller's choice.
  EXPECT_EQ(
      provenance_of("size = c.k * 2\nr = c.n if size is None else size"),
      "config.k * 2");
}

TEST(Provenance, RemembersTheDefaultOfAFieldThatMayBeMissing) {
  EXPECT_EQ(
      provenance_of("r = getattr(c, 'extra', c.n // 2)"),
      "getattr(config, \"extra\", config.n // 2)");
  EXPECT_EQ(
      provenance_of("c.given = 5\nr = getattr(c, 'given', c.n // 2)"),
      "getattr(config, \"given\", config.n // 2)");
  EXPECT_EQ(provenance_of("r = getattr(c, 'n', 2)"), "config.n");
}

TEST(Provenance, FollowsCalls) {
  EXPECT_EQ(provenance_of("r = int(c.n * 1.5)"), "int(config.n * 1.5)");
  EXPECT_EQ(
      provenance_of("r = max(c.n, c.k, 1)"), "max(max(config.n, config.k), 1)");
  EXPECT_EQ(provenance_of("r = c.name.lower()"), "config.name.lower()");
  EXPECT_EQ(
      provenance_of("r = c.name.startswith('S')"),
      "config.name.startswith('S')");
  EXPECT_EQ(
      provenance_of("import math\nr = math.sqrt(c.n)"), "math.sqrt(config.n)");
  EXPECT_EQ(
      provenance_of("r = isinstance(c.n, int)"), "isinstance(config.n, int)");
  EXPECT_EQ(provenance_of("r = abs(round(c.eps))"), "abs(round(config.eps))");
}

TEST(Provenance, FollowsListsAndLoops) {
  EXPECT_EQ(provenance_of("r = c.kinds[1]"), "config.kinds[1]");
  EXPECT_EQ(provenance_of("r = len(c.kinds)"), "len(config.kinds)");
  EXPECT_EQ(
      provenance_of("for i in range(c.n):\n  r = c.kinds[i % 3] == 'full'"),
      "config.kinds[i % 3] == 'full'");
  EXPECT_EQ(
      provenance_of("for i, kind in enumerate(c.kinds):\n  r = kind"),
      "config.kinds[i]");
  EXPECT_EQ(
      provenance_of("class Modules:\n"
                    "  def __iter__(self):\n"
                    "    return iter([1, 2])\n"
                    "for i, m in enumerate(Modules()):\n"
                    "  r = (i + 1) % c.n"),
      "(i + 1) % config.n");
  EXPECT_EQ(provenance_of("r = c.kinds[:2][0]"), "config.kinds[:2][0]");
  EXPECT_EQ(provenance_of("for i in range(4):\n  r = i"), "-");
  EXPECT_EQ(provenance_of("a, r = c.kinds[:2]"), "config.kinds[:2][1]");
}

TEST(Provenance, TellsWhichClassALayerLooksUp) {
  struct Branches : Observer {
    std::vector<std::string> seen;
    bool on_branch(const base::Span&, const Value& v, bool outcome) override {
      seen.push_back(to_string(v.provenance()) + (outcome ? " +" : " -"));
      return outcome;
    }
  } branches;
  Interpreter interp;
  auto fields = interp.run_source("fields", "fields.py", R"(
class Config:
    kinds = ["b"]
c = Config()
)");
  interp.mark_config(interp.getattr(Value(fields), "c"), "");
  interp.observer = &branches;
  interp.run_source("main", "main.py", R"(
from fields import c
class A: pass
class B: pass
for i, kind in enumerate(c.kinds):
    r = {"a": A, "b": B}[kind]
    s = {"a": 1, "b": 2}[kind]
t = {"a": A, "b": B}["a"]
)");
  interp.observer = nullptr;
  EXPECT_EQ(
      branches.seen,
      (std::vector<std::string>{
          "config.kinds[i] == 'a' -", "config.kinds[i] == 'b' +"}));
}

TEST(Provenance, LeavesNoneWhereAConstantDecides) {
  EXPECT_EQ(provenance_of("r = c.n > 2 and False"), "-");
  EXPECT_EQ(provenance_of("r = c.n > 2 and None is not None"), "-");
  EXPECT_EQ(provenance_of("r = c.n > 2 and True"), "config.n > 2");
  EXPECT_EQ(provenance_of("r = c.n > 2 or True"), "config.n > 2");
}

TEST(Provenance, SurvivesCopies) {
  EXPECT_EQ(
      provenance_of("import copy\nd = copy.deepcopy(c)\nd.own = 1\nr = d.own"),
      "config.own");
}

TEST(Provenance, DecisionsOverManyValues) {
  EXPECT_EQ(
      provenance_of("r = any(x > 4 for x in (c.k, c.n))"),
      "config.k > 4 or config.n > 4");
  EXPECT_EQ(provenance_of("r = sum([c.n, c.k])"), "0 + config.n + config.k");
}

// ---- what is known and not evaluated ----

std::string refusal(const std::string& source) {
  Interpreter interp;
  try {
    interp.run_source("main", "main.py", source);
  } catch (const Refusal& refused) {
    return std::string(diagnostics::name(refused.diagnostic.kind)) + ": " +
           refused.diagnostic.message + " @" +
           base::to_string(refused.diagnostic.span);
  } catch (const PythonError& error) {
    return interp.describe(error).message;
  }
  return "-";
}

TEST(Refusals, AreLocated) {
  EXPECT_EQ(
      refusal("x = 1\nopen('f')"),
      "unsupported-function: 'open' is not evaluated @main.py:2:1");
  EXPECT_EQ(
      refusal("import time\ntime.time()"),
      "unsupported-function: 'time.time' is not evaluated @main.py:2:1");
  EXPECT_EQ(
      refusal("2 ** 65537"),
      "unsupported-operation: an integer of more than 65536 bits "
      "@main.py:1:1");
  EXPECT_EQ(
      refusal("(-1) ** 0.5"),
      "unsupported-operation: a negative number to a fractional power is "
      "complex @main.py:1:1");
  EXPECT_EQ(
      refusal("import math\nmath.nothing"),
      "unsupported-attribute: 'math.nothing' is not known @main.py:2:1");
  EXPECT_EQ(
      refusal("import re\nre.compile('(?R)')"),
      "unsupported-operation: regular expression feature (?R) is not "
      "evaluated @main.py:2:1");
}

TEST(Refusals, HoldTheLimits) {
  const auto starts = [](const std::string& text, const char* with) {
    return text.rfind(with, 0) == 0;
  };
  EXPECT_TRUE(starts(refusal("[0] * 10**12"), "limit-exceeded"));
  EXPECT_TRUE(starts(refusal("'a' * 10**12"), "limit-exceeded"));
  EXPECT_TRUE(starts(refusal("list(range(10**12))"), "limit-exceeded"));
  EXPECT_TRUE(starts(refusal("'a'.ljust(10**12)"), "limit-exceeded"));
}

}  // namespace
}  // namespace portwright::eval
