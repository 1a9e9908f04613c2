"""The packages of the operating system that the build needs."""

import os
import shutil
import subprocess
import sys

from .failure import Failure
from .process import run, tail

DEBIAN = [
    "ccache",
    "g++",
    "libbenchmark-dev",
    "libcli11-dev",
    "libexpected-dev",
    "libfmt-dev",
    "libgmp-dev",
    "libgmock-dev",
    "libgtest-dev",
    "libmimalloc-dev",
    "libpcre2-dev",
    "nlohmann-json3-dev",
]
BREW = [
    "ccache",
    "cli11",
    "fmt",
    "gmp",
    "google-benchmark",
    "googletest",
    "nlohmann-json",
    "pcre2",
    "tl-expected",
]


def ensure(progress, log_path):
    """Installs what is missing where that is ours to do, else says how to."""
    if sys.platform == "darwin":
        missing = missing_brew()
        command = ["brew", "install"]
        may_install = False
    elif shutil.which("dpkg-query"):
        missing = missing_debian()
        command = ["apt-get", "install", "-y", "--no-install-recommends"]
        may_install = os.geteuid() == 0
    else:
        return  # CMake names what it does not find.
    if not missing:
        return
    spelled = " ".join(command + missing)
    if not may_install:
        sudo = "sudo " if command[0] == "apt-get" else ""
        raise Failure(
            "these packages are missing: " + ", ".join(missing), sudo + spelled
        )
    progress.step(f"installing {len(missing)} Debian packages")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with open(log_path, "w") as log:
        # A fresh image has no package lists, an old one stale lists.
        run(["apt-get", "update"], log, progress.detail, env)
        code = run(command + missing, log, progress.detail, env)
    if code != 0:
        raise Failure("apt-get could not install: " + spelled, "", tail(log_path))


def missing_debian():
    # The venv module of Debian's own Python is a package of its own.
    wanted = list(DEBIAN)
    if sys.base_prefix == "/usr":
        wanted.append("python3-venv")
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"] + wanted,
        capture_output=True,
        text=True,
    ).stdout
    installed = {
        line.split()[0] for line in listed.splitlines() if line.endswith(" installed")
    }
    if shutil.which("c++"):
        installed.add("g++")
    return [name for name in wanted if name not in installed]


def missing_brew():
    if not shutil.which("brew"):
        return []
    listed = subprocess.run(
        ["brew", "list", "--formula", "-1"], capture_output=True, text=True
    ).stdout.split()
    return [name for name in BREW if name not in listed]
