"""The files of the repository, for the checks beside this module."""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CPP = (".cpp", ".h")


@functools.cache
def tracked():
    """Every file that git tracks or would add."""
    listed = subprocess.run(
        # A container may run as another user than the one who cloned.
        ["git", "-c", "safe.directory=*", "ls-files", "-z"]
        + ["--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def under(*folders, suffixes=None):
    """Tracked files below the given folders of the root."""
    tops = [ROOT / folder for folder in folders]
    return [
        path
        for path in tracked()
        if any(top in path.parents for top in tops)
        and (suffixes is None or path.suffix in suffixes)
    ]


def name(path):
    return str(path.relative_to(ROOT))
