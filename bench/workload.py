"""Plain Python of the kind that configs and constructors run, for timing."""

from dataclasses import dataclass, field


@dataclass
class Config:
    hidden_size: int = 4096
    layers: int = 32
    types: list = field(default_factory=list)

    def __post_init__(self):
        if not self.types:
            self.types = [
                "sliding" if (i + 1) % 4 else "full" for i in range(self.layers)
            ]


class Module:
    def __init__(self):
        self.children = {}

    def __setattr__(self, name, value):
        if isinstance(value, Module):
            self.children[name] = value
        object.__setattr__(self, name, value)

    def walk(self, prefix=""):
        yield prefix, self
        for name, child in self.children.items():
            yield from child.walk(f"{prefix}.{name}" if prefix else name)


class Layer(Module):
    def __init__(self, config, index):
        super().__init__()
        self.index = index
        self.kind = config.types[index]
        self.width = config.hidden_size // 2 if self.kind == "full" else 8
        self.inner = Module()


class Model(Module):
    def __init__(self, config):
        super().__init__()
        for i in range(config.layers):
            setattr(self, f"layer{i}", Layer(config, i))


def frequencies(count, base):
    total = 0.0
    for i in range(count):
        angle = base ** (-2 * i / count)
        total += angle if i % 2 == 0 else -angle
    return total


found = 0
for _ in range(100):
    model = Model(Config())
    found += sum(1 for name, module in model.walk() if name.endswith("inner"))
    table = {name: len(name) for name, _ in model.walk()}
    found += max(table.values())
    assert frequencies(500, 10000.0) > 0
assert found == 100 * (32 + len("layer31.inner"))
