from dataclasses import dataclass, field


class Meta(type):
    def __call__(cls, *args, **kwargs):
        return super().__call__(*args, **kwargs)


class Base(metaclass=Meta):
    count = 0
    __slots__ = ()

    def __init_subclass__(cls, **kwargs):
        Base.count += 1

    def __getattr__(self, name):
        if name.startswith("x"):
            return name[1:]
        raise AttributeError(name)

    @property
    def size(self):
        return len(self.items)


class List(Base):
    def __init__(self, *items):
        self.items = list(items)

    def __iter__(self):
        yield from self.items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]

    def __eq__(self, other):
        return self.items == list(other)

    def __contains__(self, item):
        return any(x is item or x == item for x in self)


@dataclass
class Config:
    hidden_size: int = 96
    layers: list = field(default_factory=lambda: ["full", "sliding"])

    def __post_init__(self):
        self.head_dim = self.hidden_size // 6


a = List(1, 2.5, "three", None, (4, [5]))
assert a.size == 5 and a.xy == "y" and 2.5 in a and a[-1][1][0] == 5
first, *rest, last = a
config = Config(hidden_size=12)
assert getattr(config, "missing", config.head_dim) == 2
print(f"{config.hidden_size:>8} {first!r} {a.size=}", repr(config))
