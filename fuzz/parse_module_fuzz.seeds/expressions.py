# -*- coding: utf-8 -*-
x = a if b else lambda *a, k=1, **b: (yield)
x = [i ** -j @ k // 2 for i, j in z if i for k in l]
x = {**a, "b": 1, f"{c!r:>{w}.2f} {{}} {d=}": 0o17, rb"\x00\N": 1_000.5e-3j}
x = {*a, 0xFF, 0b1, ..., None, True}
x[1:2:3, ::, ...] @= ~y << 2 >> 1 & 3 ^ 4 | 5
"é\u00e9\N{BULLET}" 'a\
b' """c
d""" f'''{
    e
}'''
(a, *b), c = d = yield
