"""The first call: what goes wrong there ends clearly and leaves nothing behind."""

import fcntl
import functools
import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "python"))
from portwright.bootstrap import environment as bootstrap  # noqa: E402

# No index and no configuration to find one.
OFFLINE = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
    "PIP_RETRIES": "1",
    "PIP_NO_CACHE_DIR": "1",
}


@pytest.fixture
def checkout(tmp_path):
    """A checkout that was never called, and a cache of its own."""
    copy = tmp_path / "checkout"
    for name in ("portwright", "requirements.lock", "python/portwright/bootstrap"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name)
        else:
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture
def environment(tmp_path):
    cleaned = {k: v for k, v in os.environ.items() if not k.startswith("PORTWRIGHT_")}
    return {**cleaned, **OFFLINE, "XDG_CACHE_HOME": str(tmp_path / "cache")}


def left_behind(tmp_path):
    return os.listdir(tmp_path / "cache" / "portwright" / "environments")


def test_without_a_network_the_message_says_so(checkout, environment, tmp_path):
    called = subprocess.run(
        [checkout / "portwright", "--version"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert called.returncode == 4, called.stderr
    assert "the network does not answer" in called.stderr
    assert called.stdout == ""
    assert left_behind(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyPI has no CUDA builds")
def test_torch_comes_without_cuda_where_its_index_answers(tmp_path, monkeypatch):
    (tmp_path / "torch").mkdir()
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path)
    )
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        here = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(bootstrap, "CPU_BUILDS", here)
        assert bootstrap.cpu_builds() == ["--extra-index-url", here]
        monkeypatch.setattr(bootstrap, "CPU_BUILDS", f"{here}/moved")
        assert bootstrap.cpu_builds() == []
        monkeypatch.setattr(bootstrap, "CPU_BUILDS", here)
        monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
        assert bootstrap.cpu_builds() == []
        server.shutdown()


def test_an_interrupt_ends_with_130_and_leaves_nothing(checkout, environment, tmp_path):
    process = subprocess.Popen(
        [checkout / "portwright", "--version"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A shell's background jobs ignore the signal, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert "making a virtual environment" in process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert process.stderr.read() == "portwright: interrupted\n"
    assert left_behind(tmp_path) == []


def test_a_second_call_waits_for_the_first(checkout, environment):
    (checkout / "build").mkdir()
    with open(checkout / "build" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [checkout / "portwright", "--version"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert "waiting for another call" in process.stderr.readline()
        process.terminate()
        assert process.wait(timeout=30) == 143


def test_an_unwritable_cache_is_named(checkout, environment, tmp_path):
    (tmp_path / "cache").write_text("a file in the way")
    called = subprocess.run(
        [checkout / "portwright"], capture_output=True, text=True, env=environment
    )
    assert called.returncode == 4
    assert "XDG_CACHE_HOME" in called.stderr


@pytest.fixture
def bare_debian(tmp_path, environment):
    """A PATH whose dpkg-query knows no package and whose apt-get only notes how
    it was called."""
    tools = tmp_path / "tools"
    tools.mkdir()
    calls = tmp_path / "apt-calls"
    for name, body in {
        "dpkg-query": "exit 1",
        "apt-get": f'echo "$@" >> {calls}',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    return {**environment, "PATH": f"{tools}:{environment['PATH']}"}, calls


@pytest.mark.skipif(sys.platform != "linux", reason="about Debian")
def test_missing_packages_are_installed_or_named(checkout, bare_debian):
    environment, calls = bare_debian
    called = subprocess.run(
        [checkout / "portwright"], capture_output=True, text=True, env=environment
    )
    assert called.returncode == 4  # nothing is installed, so it ends after apt-get
    if os.geteuid() == 0:
        update, install = calls.read_text().splitlines()
        assert update == "update"
        assert install.startswith("install -y --no-install-recommends ")
        assert "libcli11-dev" in install
    else:
        assert not calls.exists()
        assert "sudo apt-get install -y " in called.stderr
        assert "libcli11-dev" in called.stderr


def test_a_filter_chooses_tests(root):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q"]
        + ["--match", "test_pins", "tests/repository"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    chosen = [line for line in done.stdout.splitlines() if "::" in line]
    assert chosen and all("test_pins" in line for line in chosen)
