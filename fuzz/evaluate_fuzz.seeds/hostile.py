def loop():
    while True:
        pass


def deep(n):
    return deep(n + 1)


def big():
    return [0] * 10**12, "x" * 2**40, range(2**63), 1 << 10**6, bytes(10**12)


class Evil:
    def __hash__(self):
        return hash(self)

    def __eq__(self, other):
        items.clear()
        return NotImplemented

    def __index__(self):
        items.pop()
        return 10**9

    def __getattribute__(self, name):
        return object.__getattribute__(self, name)

    def __del__(self):
        raise ValueError


items = [Evil(), Evil()]
for hostile in (
    deep,
    big,
    lambda: items[Evil()],
    lambda: {Evil(): 1},
    lambda: eval("1"),
):
    try:
        hostile(0)
    except Exception as error:
        repr(error)
type("X", (int,), {"__mul__": lambda a, b: b})(3) * []
().__class__.__bases__[0].__subclasses__()
__import__("os").system("true")
loop()
