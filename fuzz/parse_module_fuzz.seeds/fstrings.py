f'{a!r:>{w}.{p}} {{ {b=} }} {c:x}'
rf"\{d}" f'{f"{f'{1}'}"}' u'x'
f'''{
    (lambda x: {1: [x]})(2)  # note
:%Y-{m}}'''
t'{a = !s}' '\N{BULLET}\x41\u00e9\U0001F600\101\
'
b'\xff' rb'\n'
