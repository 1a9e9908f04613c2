import contextlib
import fcntl

from .failure import Failure


@contextlib.contextmanager
def hold(path, progress, what):
    """Holds the lock file `path`; a second caller waits and says so. The system
    frees the lock of a process that dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w")
    except OSError as error:
        raise Failure(
            f"cannot write {path}: {error.strerror}",
            "choose another place with XDG_CACHE_HOME, or free some space",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.step(f"waiting for another call that is {what}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
