_missing = object()


class count:
    def __init__(self, start=0, step=1):
        self._next = start
        self._step = step

    def __iter__(self):
        return self

    def __next__(self):
        value = self._next
        self._next = value + self._step
        return value


class repeat:
    def __init__(self, object, times=None):
        self._object = object
        self._left = times

    def __iter__(self):
        return self

    def __next__(self):
        if self._left is not None:
            if self._left <= 0:
                raise StopIteration
            self._left -= 1
        return self._object


class cycle:
    def __init__(self, iterable):
        self._items = list(iterable)
        self._at = 0

    def __iter__(self):
        return self

    def __next__(self):
        if not self._items:
            raise StopIteration
        item = self._items[self._at]
        self._at = (self._at + 1) % len(self._items)
        return item


class chain:
    def __init__(self, *iterables):
        self._sources = iter(iterables)
        self._current = iter(())

    @classmethod
    def from_iterable(cls, iterables):
        made = cls()
        made._sources = iter(iterables)
        return made

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            item = next(self._current, _missing)
            if item is not _missing:
                return item
            source = next(self._sources, _missing)
            if source is _missing:
                raise StopIteration
            self._current = iter(source)


class islice:
    def __init__(self, iterable, *args):
        bounds = slice(*args)
        self._iterator = iter(iterable)
        self._at = 0
        self._next = bounds.start or 0
        self._stop = bounds.stop
        self._step = bounds.step or 1

    def __iter__(self):
        return self

    def __next__(self):
        if self._stop is not None and self._next >= self._stop:
            raise StopIteration
        while True:
            item = next(self._iterator)
            self._at += 1
            if self._at > self._next:
                self._next += self._step
                return item


class takewhile:
    def __init__(self, predicate, iterable):
        self._predicate = predicate
        self._iterator = iter(iterable)
        self._done = False

    def __iter__(self):
        return self

    def __next__(self):
        if not self._done:
            item = next(self._iterator)
            if self._predicate(item):
                return item
            self._done = True
        raise StopIteration


class dropwhile:
    def __init__(self, predicate, iterable):
        self._predicate = predicate
        self._iterator = iter(iterable)
        self._dropping = True

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            item = next(self._iterator)
            if self._dropping and self._predicate(item):
                continue
            self._dropping = False
            return item


def starmap(function, iterable):
    return map(lambda args: function(*args), iterable)


def filterfalse(predicate, iterable):
    if predicate is None:
        return filter(lambda item: not item, iterable)
    return filter(lambda item: not predicate(item), iterable)


def compress(data, selectors):
    return iter([item for item, keep in zip(data, selectors) if keep])


def accumulate(iterable, func=None, *, initial=None):
    out = []
    total = _missing if initial is None else initial
    if initial is not None:
        out.append(total)
    for item in iterable:
        if total is _missing:
            total = item
        else:
            total = total + item if func is None else func(total, item)
        out.append(total)
    return iter(out)


def zip_longest(*iterables, fillvalue=None):
    columns = [list(i) for i in iterables]
    size = max((len(c) for c in columns), default=0)
    return iter(
        [tuple(c[i] if i < len(c) else fillvalue for c in columns) for i in range(size)]
    )


def pairwise(iterable):
    items = list(iterable)
    return zip(items, items[1:])


def batched(iterable, n):
    items = list(iterable)
    return iter([tuple(items[i : i + n]) for i in range(0, len(items), n)])


def tee(iterable, n=2):
    items = list(iterable)
    return tuple(iter(items) for _ in range(n))


def product(*iterables, repeat=1):
    out = [()]
    for pool in [tuple(i) for i in iterables] * repeat:
        out = [chosen + (item,) for chosen in out for item in pool]
    return iter(out)


def _selections(pool, r, allowed):
    out = [()]
    for _ in range(r):
        out = [s + (i,) for s in out for i in range(len(pool)) if allowed(s, i)]
    return iter([tuple(pool[i] for i in s) for s in out])


def permutations(iterable, r=None):
    pool = tuple(iterable)
    return _selections(pool, len(pool) if r is None else r, lambda s, i: i not in s)


def combinations(iterable, r):
    return _selections(tuple(iterable), r, lambda s, i: not s or i > s[-1])


def combinations_with_replacement(iterable, r):
    return _selections(tuple(iterable), r, lambda s, i: not s or i >= s[-1])


def groupby(iterable, key=None):
    out = []
    current = _missing
    for item in iterable:
        k = item if key is None else key(item)
        if current is _missing or k != current:
            current = k
            out.append((k, []))
        out[-1][1].append(item)
    return iter([(k, iter(group)) for k, group in out])
