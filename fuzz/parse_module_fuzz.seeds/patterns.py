match x, *y:
    case [1, *_] | {'a': -1 + 2j, **r} if z: pass
    case C(a.b, c=(None | True)) as d: pass
    case (e, f,) | "s" 't': pass
    case _: match(x)
type A[T: int = str, *U, **P] = T
with (a as b, c): pass
with (a, b) as c, d: pass
yield (a := b); yield (yield c), d
x = y = yield from (z := w)
