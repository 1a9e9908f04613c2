"""concurrent.futures, by name: nothing runs at the same time here."""


class Future:
    pass


class ThreadPoolExecutor:
    def __init__(self, *args, **kwargs):
        raise NotImplementedError("threads are not evaluated")
