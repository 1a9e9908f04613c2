from contextlib import contextmanager, nullcontext


@contextmanager
def managed(log):
    log.append("in")
    try:
        yield len(log)
    finally:
        log.append("out")


def generator(n):
    for i in range(n):
        if i == 3:
            continue
        got = yield i
        if got:
            return got


def outer(a, /, b=1, *args, c, d=2, **kwargs):
    total = 0

    def inner():
        nonlocal total
        total += a + b + c + d + sum(args)
        return total

    return inner() + inner()


log = []
with managed(log) as depth, nullcontext():
    assert depth == 1
assert log == ["in", "out"] and list(generator(5)) == [0, 1, 2, 4]
assert outer(1, 2, 3, c=4, e=5) == 24
match {"kind": "full", "sizes": [1, 2, 3]}:
    case {"kind": "sliding"}:
        found = None
    case {"kind": str(kind), "sizes": [first, *others]} if first:
        found = kind, others
if (n := len(found)) > 1:
    n = [x for row in [[1, 2], [3]] for x in row if x != n] or n
x = y = 1
x += y if not n else -y
assert not (x is None or 0 < y <= x < 3) or True
lambda *a, **k: (a, k)
global_name: "int" = 3
while x < 10:
    x += 1
    if x == 5:
        break
else:
    x = None
