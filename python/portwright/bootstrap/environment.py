"""The virtual environment with the pinned packages, in the user's cache."""

import contextlib
import hashlib
import os
import platform
import re
import shutil
import sys
import urllib.request
from pathlib import Path

from . import lock
from .failure import Failure
from .process import run, tail

# Builds of torch for Linux without the gigabytes of CUDA that PyPI's bring.
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        folder = "Library/Caches" if sys.platform == "darwin" else ".cache"
        try:
            base = Path.home() / folder
        except RuntimeError as error:
            raise Failure("HOME is not set", "set HOME or XDG_CACHE_HOME") from error
    return Path(base) / "portwright"


def digest(lock_file):
    """Names an environment by everything that decides what is in it."""
    key = hashlib.sha256(lock_file.read_bytes())
    where = (sys.platform, platform.machine(), sys.base_prefix)
    for part in (platform.python_version(), *where):
        key.update(b"\0" + part.encode())
    return key.hexdigest()[:16]


def ensure(lock_file, progress):
    """The path of the environment, made first where it is missing."""
    cache = cache_directory()
    path = cache / "environments" / digest(lock_file)
    if (path / "bin" / "python").exists():
        return path
    with lock.hold(cache / "lock", progress, "installing packages"):
        if not (path / "bin" / "python").exists():
            make(path, lock_file, progress, cache / "setup.log")
    return path


def make(path, lock_file, progress, log_path):
    """Fills a directory beside `path` and renames it when it is complete, so an
    environment is there as a whole or not at all."""
    draft = path.parent / f"making-{path.name}"
    with world_errors(path.parent), contextlib.ExitStack() as undo:
        # What a killed call left behind; the lock says nobody works on it.
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        undo.callback(shutil.rmtree, draft, ignore_errors=True)
        log = undo.enter_context(open(log_path, "w"))
        progress.step("making a virtual environment")
        step([sys.executable, "-m", "venv", draft], log, progress, log_path)
        pip = [draft / "bin" / "python", "-m", "pip", "install", "--no-compile"]
        torch = re.search(r"^torch==[\w.]+", lock_file.read_text(), re.M).group()
        progress.step(f"installing {torch} (once)")
        # Alone and spelled exactly so, because another spelling can choose a
        # build with CUDA.
        step(pip + cpu_builds() + [torch], log, progress, log_path)
        progress.step("installing the other packages (once)")
        step(pip + ["--no-deps", "-r", lock_file], log, progress, log_path)
        step([pip[0], "-c", "import mlx.core"], log, progress, log_path)
        move_scripts(draft, path)
        draft.rename(path)
        undo.pop_all()
        log.close()


def cpu_builds():
    """pip's arguments for them; none where they are not reached or the user has
    an index of his own."""
    if sys.platform != "linux" or os.environ.get("PIP_INDEX_URL"):
        return []
    try:
        urllib.request.urlopen(f"{CPU_BUILDS}/torch/", timeout=3).close()
    except (OSError, ValueError):
        return []
    return ["--extra-index-url", CPU_BUILDS]


def step(command, log, progress, log_path):
    if run(command, log, progress.detail) == 0:
        return
    text = log_path.read_text(errors="replace")
    if re.search(
        r"name resolution|NewConnectionError|ConnectTimeout|Network is unreachable"
        r"|Connection (refused|reset)|Read timed out|ProxyError|Max retries",
        text,
        re.I,
    ):
        raise Failure(
            "cannot download the packages: the network does not answer",
            "connect and call again; a proxy or mirror is set as for pip "
            "(HTTPS_PROXY, PIP_INDEX_URL)",
            tail(log_path, 5),
        )
    raise Failure(
        "installing the packages failed", f"the whole log: {log_path}", tail(log_path)
    )


def move_scripts(draft, path):
    """Scripts name their interpreter by its path, which the rename changes."""
    for script in (draft / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        data = script.read_bytes()
        if os.fsencode(draft) in data and b"\0" not in data[:1024]:
            script.write_bytes(data.replace(os.fsencode(draft), os.fsencode(path)))


@contextlib.contextmanager
def world_errors(place):
    try:
        yield
    except OSError as error:
        raise Failure(
            f"cannot write to {error.filename or place}: {error.strerror}",
            "choose another place with XDG_CACHE_HOME, or free some space",
        ) from error


def transformers_directory(path):
    found = sorted(path.glob("lib/python3*/site-packages/transformers"))
    if not found:
        raise Failure(f"{path} holds no transformers", "delete it and call again")
    return found[0]
