#include <gtest/gtest.h>

#include "eval/interpreter.h"

// Source that means ill ends in a Python exception or a refusal.

namespace portwright::eval {
namespace {

std::string outcome(const std::string& source) {
  Interpreter interp;
  try {
    interp.run_source("main", "main.py", source);
  } catch (const Refusal& refused) {
    return std::string(diagnostics::name(refused.diagnostic.kind));
  } catch (const PythonError& error) {
    return interp.describe(error).message;
  }
  return "fine";
}

TEST(Hostile, DescriptorsCheckWhatTheyGet) {
  for (const char* call :
       {"range.__dict__['start'].fget(5)",
        "slice.__dict__['stop'].fget('x')",
        "slice.indices(5, 2)",
        "staticmethod.__dict__['__func__'].fget(1)",
        "type(list[int]).__dict__['__args__'].fget(1)",
        "type({}.keys()).__iter__(5)",
        "list.append((), 1)",
        "dict.get([], 1)",
        "str.upper(3)",
        "set.add({}, 1)",
        "tuple.__new__(5)",
        "int.__new__(5)",
        "float.__new__('x')",
        "object.__new__(5)",
        "property.fget.fget(1)"}) {
    const std::string result = outcome(call);
    EXPECT_TRUE(
        result.rfind("TypeError", 0) == 0 ||
        result.rfind("AttributeError", 0) == 0)
        << call << ": " << result;
  }
}

TEST(Hostile, NestingHasALimit) {
  const std::string nest =
      "a = []\nb = []\nfor _ in range(3000):\n  a = [a]\n  b = [b]\n";
  EXPECT_EQ(
      outcome(nest + "repr(a)"),
      "RecursionError: maximum recursion depth exceeded");
  EXPECT_EQ(
      outcome(nest + "a == b"),
      "RecursionError: maximum recursion depth exceeded");
  EXPECT_EQ(
      outcome(nest + "import copy\ncopy.deepcopy(a)"),
      "RecursionError: maximum recursion depth exceeded");
  EXPECT_EQ(
      outcome("t = ()\nfor _ in range(3000):\n  t = (t,)\nhash(t)"),
      "RecursionError: maximum recursion depth exceeded");
}

TEST(Hostile, CodeThatChangesWhatIsBeingRead) {
  EXPECT_EQ(
      outcome(R"(
a = [1, 2, 3]
class Clear:
    def __index__(self):
        a.clear()
        return 2
try:
    a[Clear()]
    assert False
except IndexError:
    pass
a.extend([1, 2, 3])
a[Clear():] = [1]
a.extend([1, 2, 3])
a.insert(Clear(), 9)
class Sly:
    def __eq__(self, other):
        a.clear()
        return False
a[:] = [Sly(), Sly(), Sly()]
assert 5 not in a
a[:] = [Sly(), Sly(), Sly()]
assert a != [1, 2, 3]
a[:] = [3, 1, 2]
a.sort(key=lambda x: a.clear() or x)
it = iter(a)
a.clear()
assert list(it) == []
d = {i: i for i in range(20)}
for k in d:
    d.pop(k)
    if k > 5:
        break
)"),
      "fine");
}

}  // namespace
}  // namespace portwright::eval
