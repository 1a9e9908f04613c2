"""What Tensor.numpy() answers: a vector of integers to count and index by.

Nothing computes with it as a whole: numpy promotes otherwise than torch does.
"""


class Integers:
    ndim = 1

    def __init__(self, items):
        self._items = items
        self.size = len(items)
        self.shape = (len(items),)

    def __len__(self):
        return len(self._items)

    def __iter__(self):
        return iter(self._items)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Integers(self._items[index])
        return self._items[index]

    def cumsum(self, axis=0):
        total = 0
        sums = []
        for item in self._items:
            total += item
            sums.append(total)
        return Integers(sums)

    def tolist(self):
        return list(self._items)
