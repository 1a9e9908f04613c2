import collections
import copy
import itertools
import math
import re

d = {i: i**2 for i in range(20) if i % 3}
s = {1, 2, 3} | set(d) - {4} & {5, 6}
l = sorted(d.items(), key=lambda kv: -kv[1])[:5]
l[1:3] = [("a", 1)] * 2
del l[0]
o = collections.OrderedDict(d)
o.move_to_end(1)
n = copy.deepcopy({"l": l, "d": d, "t": (l, d)})
t = tuple(itertools.chain([1], (2,), zip([3], "4"), enumerate("ab")))
text = "a,b;c" * 3
words = re.findall(r"(?<!x)[a-c]", text)
assert len(words) == 9 and text.split(",")[0] == "a" and math.isclose(0.1 + 0.2, 0.3)
number = int("123", 8) << 4 | 0xFF ^ ~5
half = divmod(-7, 2), round(2.5), 7 // -2, -7 % 3, 2**-1, 1e308 * 10
formatted = (
    "{:>10.3f} {!r} {0[0]}".format(3.14159, "x") if False else "%5d|%-4s" % (3, "a")
)
joined = "-".join(map(str, reversed(range(3))))
try:
    d["missing"]
except (KeyError, IndexError) as error:
    assert error.args == ("missing",)
else:
    raise RuntimeError
finally:
    total = sum(d.values())
