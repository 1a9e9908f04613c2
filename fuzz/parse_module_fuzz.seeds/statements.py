import os as o, sys
from ..a.b import (c as d, *e) if False else f
from .x import *


@decorator(1, *a, **k)
class A[T: int](B, metaclass=M):
    x: int = 3
    y: list[int]

    async def f(self, a, /, b: int = 2, *c, d=4, **e) -> None:
        async with a as b, c as (d, e):
            await x
        async for i in range(3):
            yield i
        return (yield from g)


try:
    raise E from e
except* (A, B) as error:
    pass
else:
    del a, b[1:2, ...], c.d
finally:
    assert a, "b"
while a := b():
    if a < b <= c is not d not in e:
        break
    elif not a and b or c:
        continue
    else:
        global g
match point:
    case Point(x=0, y=[1, *rest]) | {"a": -1, **kw} if rest:
        pass
    case _:
        pass
type X = int | None
