import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addoption("--match", help="a regular expression on test ids")
    parser.addoption("--all-types", action="store_true", help="not a sample of them")
    parser.addoption("--configs", type=int, help="how many configs to draw")
    parser.addoption("--seed", type=int, default=1, help="of what is drawn")
    parser.addoption("--from-nothing", action="store_true", help="the whole wheel")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out by ./test --quick")


def pytest_collection_modifyitems(config, items):
    match = config.getoption("--match")
    if match:
        kept = [item for item in items if re.search(match, item.nodeid)]
        config.hook.pytest_deselected(items=[i for i in items if i not in kept])
        items[:] = kept


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def portwright():
    """Calls ./portwright as a user does, with text captured."""

    def call(*arguments, timeout=600, env=None, **options):
        environment = {**os.environ, "PORTWRIGHT_NO_BUILD": "1", **(env or {})}
        return subprocess.run(
            [ROOT / "portwright", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            **options,
        )

    return call
