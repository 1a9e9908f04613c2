"""The launcher, as a user's shell sees it."""

import json
import os
import subprocess
import time

from conftest import ROOT


def test_the_launcher_costs_milliseconds(portwright):
    timings = []
    for _ in range(5):
        begin = time.perf_counter()
        assert portwright("--version", env={"PORTWRIGHT_NO_BUILD": ""}).returncode == 0
        timings.append(time.perf_counter() - begin)
    # The rest is for a busy machine; alone it takes about 20 ms with the binary.
    assert min(timings) < 0.5, timings


def test_exit_codes_pass_through(portwright):
    assert portwright("no-such-verb").returncode == 2
    assert portwright("--version").returncode == 0


def test_it_works_through_a_link_and_from_anywhere(tmp_path):
    link = tmp_path / "pw"
    link.symlink_to(ROOT / "portwright")
    called = subprocess.run(
        ["./pw", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=dict(os.environ, PORTWRIGHT_NO_BUILD="1"),
    )
    assert called.stdout.startswith("portwright ")


def test_doctor_finds_everything(portwright):
    called = portwright("doctor", "--json")
    assert called.returncode == 0, called.stderr
    answer = json.loads(called.stdout)
    assert answer["ready"] is True
    assert {check["status"] for check in answer["checks"]} <= {"pass", "warn"}


def test_without_a_build_it_says_so(tmp_path):
    copy = tmp_path / "portwright"
    copy.write_bytes((ROOT / "portwright").read_bytes())
    copy.chmod(0o755)
    called = subprocess.run(
        [copy],
        capture_output=True,
        text=True,
        env=dict(os.environ, PORTWRIGHT_NO_BUILD="1"),
    )
    assert called.returncode == 4
    assert "not built yet" in called.stderr
