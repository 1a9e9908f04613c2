"""The versions in requirements.in, requirements.lock and pyproject.toml agree."""

import re
import tomllib

from repository.files import ROOT


def pins(lines):
    found = {}
    for line in lines:
        at = re.match(r"([\w.-]+)(?:\[\w+\])?==([\w.]+)", line)
        if at:
            found[at[1].lower().replace("_", "-")] = at[2]
    return found


LOCK = pins((ROOT / "requirements.lock").read_text().splitlines())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_what_we_ask_for_is_locked():
    asked = pins((ROOT / "requirements.in").read_text().splitlines())
    assert asked.items() <= LOCK.items()


def test_the_wheel_asks_for_the_same():
    wanted = pins(PROJECT["project"]["dependencies"])
    wanted |= pins(PROJECT["build-system"]["requires"])
    assert wanted.items() <= LOCK.items()


def test_the_lock_is_exact():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert len(LOCK) == len(packages)
