"""Configures and builds the checkout, and leaves the launcher its state file."""

import os
import re
import shlex
import sys
from pathlib import Path

from . import environment, lock, system
from .failure import Failure
from .process import run, tail

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"


def prepare(progress, targets=("portwright",), preset="release"):
    """Everything from a fresh clone to built targets. Returns the variables that
    the binary expects."""
    build = BUILD if preset == "release" else ROOT / f"build-{preset}"
    with lock.hold(build / ".lock", progress, "building"):
        system.ensure(progress, build / "apt.log")
        venv = environment.ensure(ROOT / "requirements.lock", progress)
        variables = {
            "PORTWRIGHT_ROOT": str(ROOT),
            "PORTWRIGHT_PYTHON": str(venv / "bin" / "python"),
            "PORTWRIGHT_TRANSFORMERS": str(environment.transformers_directory(venv)),
            "PORTWRIGHT_HOME": str(ROOT / "python" / "portwright"),
        }
        # Older than any source changed from here on, so a change during the
        # build is seen by the next call.
        draft = build / "portwright.env.new"
        draft.write_text(
            "".join(f"{name}={shlex.quote(v)}\n" for name, v in variables.items())
        )
        configure(build, preset, venv, progress)
        compile(build, targets, venv, progress)
        draft.rename(build / "portwright.env")
    progress.end()
    return variables


def configure(build, preset, venv, progress):
    command = [
        venv / "bin" / "cmake",
        "--fresh",
        "--preset",
        preset,
        f"-DPython_EXECUTABLE={venv / 'bin' / 'python'}",
        f"-DCMAKE_MAKE_PROGRAM={venv / 'bin' / 'ninja'}",
    ]
    if sys.platform == "darwin":
        command.append("-DPORTWRIGHT_WERROR=OFF")
    # A moved checkout or another environment needs a new configuration.
    mark = build / "configured-as"
    wanted = "\n".join(map(str, command))
    if mark.exists() and mark.read_text() == wanted:
        if (build / "build.ninja").exists():
            return
    progress.step("configuring")
    mark.unlink(missing_ok=True)
    log_path = build / "configure.log"
    with open(log_path, "w") as log:
        code = run(command, log, progress.detail, cwd=ROOT)
    if code != 0:
        raise Failure(
            "CMake cannot configure the build",
            f"the whole log: {log_path}",
            tail(log_path),
        )
    mark.write_text(wanted)


def compile(build, targets, venv, progress):
    announced = False

    def on_line(line):
        nonlocal announced
        at = re.match(r"\[(\d+)/(\d+)\] ", line)
        if at and int(at[2]) > 3:
            if not announced:
                progress.step("building")
                announced = True
            progress.detail(f"{at[1]}/{at[2]}")

    log_path = build / "build.log"
    command = [venv / "bin" / "ninja", "-C", build, "-j", jobs(), *targets]
    env = dict(os.environ, NINJA_STATUS="[%f/%t] ")
    # Another checkout of the same sources finds the objects of this one.
    env |= {"CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}
    with open(log_path, "w") as log:
        code = run(command, log, on_line, env)
    if code != 0:
        raise Failure(
            "the build failed", f"the whole log: {log_path}", failures(log_path)
        )


def failures(log_path, lines=40):
    """What the compiler said of the first step that failed."""
    said = log_path.read_text().splitlines()
    first = next((i for i, s in enumerate(said) if s.startswith("FAILED: ")), 0)
    # The line after the name is the command.
    return "\n".join("  | " + line for line in said[first + 2 :][:lines])


def jobs():
    """A job a core, as long as each finds about a gigabyte and a half."""
    cores = os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return cores
    return max(1, min(cores, int(memory / 1.5e9)))
