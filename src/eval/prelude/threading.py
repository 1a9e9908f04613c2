# One thread: locks never wait.
from _portwright import refuse as _refuse


class Lock:
    def __init__(self):
        self._held = False

    def acquire(self, blocking=True, timeout=-1):
        self._held = True
        return True

    def release(self):
        self._held = False

    def locked(self):
        return self._held

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exc_info):
        self.release()

    def __deepcopy__(self, memo):
        return self


RLock = Lock


class local:
    pass


class Thread:
    def __init__(self, *args, **kwargs):
        _refuse("'threading.Thread' is not evaluated: there is one thread")


def get_ident():
    return 1
