"""Ports shared by several machines; here this one stands for all of them, reached
as itself or by ssh."""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import check_of

# All of 127.0.0.0/8 is the machine itself there.
LINUX = sys.platform == "linux"
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.fixture
def host_file(tmp_path):
    def write(*names):
        hosts = [
            {"ssh": name, "ips": [f"127.0.0.{1 + i if LINUX else 1}"]}
            for i, name in enumerate(names)
        ]
        path = tmp_path / "hosts.json"
        path.write_text(json.dumps({"backend": "ring", "hosts": hosts}))
        return path

    return write


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def serve(folder, port):
    """A server of ssh for this user, by keys of its own; its words if it ends."""
    if os.getuid() == 0:  # as what starts it otherwise would
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for key in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key],
            check=True,
        )
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/user.pub\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\n"
    )
    server = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True
    )
    for _ in range(100):
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return server
        if server.poll() is not None:
            break
        time.sleep(0.1)
    server.kill()
    pytest.skip(f"sshd does not serve here: {server.communicate()[1].strip()}")


@pytest.fixture
def by_ssh(tmp_path, monkeypatch):
    """The name by which ssh, without a password, reaches this machine."""
    if not (SSHD and shutil.which("ssh")):
        pytest.skip("no ssh and sshd")
    folder = tmp_path / "ssh"
    folder.mkdir()
    port = free_port()
    server = serve(folder, port)
    (folder / "config").write_text(
        f"Host other.local\n  HostName 127.0.0.1\n  Port {port}\n"
        f"  User {getpass.getuser()}\n  IdentityFile {folder}/user\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known\n"
        "  StrictHostKeyChecking accept-new\n"
    )
    # ssh reads its config from the home of the user, whatever HOME says.
    wrapped = folder / "bin" / "ssh"
    wrapped.parent.mkdir()
    wrapped.write_text(
        f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n'
    )
    wrapped.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapped.parent}:{os.environ['PATH']}")
    yield "other.local"
    server.terminate()
    server.wait(30)


def verify_on(portwright, checkpoint, hosts, out, *more):
    return portwright(
        *("verify", checkpoint, "--hosts", hosts, "--json"),
        *("--checks", "logits", "-o", out, *more),
    )


@pytest.mark.parametrize("streamed", [(), ("--stream",)], ids=["whole", "streamed"])
def test_hosts_share_a_port(streamed, checkpoint, portwright, host_file, tmp_path):
    hosts = host_file("127.0.0.1", "127.0.0.1")
    done = verify_on(
        portwright, checkpoint("qwen3"), hosts, tmp_path / "out", *streamed
    )
    assert done.returncode == 0, done.stderr
    found = check_of(json.loads(done.stdout), "sharded")
    assert found["status"] == "pass"
    assert found["reason"] == "on the 2 hosts of hosts.json"
    assert 0 < found["value"] < 1e-4
    if streamed:
        assert "share the port for the check `sharded`" in done.stderr


def test_hosts_are_reached_by_ssh(by_ssh, checkpoint, portwright, host_file, tmp_path):
    hosts = host_file(by_ssh, by_ssh)
    done = verify_on(portwright, checkpoint("qwen3"), hosts, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = check_of(json.loads(done.stdout), "sharded")
    assert found["status"] == "pass"
    assert found["reason"] == "on the 2 hosts of hosts.json"
    assert 0 < found["value"] < 1e-4


def test_what_a_port_raises_behind_ssh_is_its_fault(
    by_ssh, checkpoint, plant, portwright, host_file, tmp_path
):
    port = plant(
        "qwen3",
        (
            r"(        group = group or mx.distributed.init\(\)\n)",
            r"\1        if group.rank() == 1:\n            raise ValueError('not cut')\n",
        ),
    )
    hosts = host_file("127.0.0.1", by_ssh)
    done = verify_on(
        portwright, checkpoint("qwen3"), hosts, tmp_path / "out", "--port", port
    )
    assert done.returncode == 1
    found = check_of(json.loads(done.stdout), "sharded")
    assert found["status"] == "fail"
    assert "ValueError: not cut" in found["reason"]


def test_a_machine_without_the_checkpoint_is_not_the_ports_fault(root):
    task = {"checkpoint": "/nowhere/at/all"}
    done = subprocess.run(
        [sys.executable, "-m", "portwright.workers.sharded", json.dumps(task)],
        env={**os.environ, "PYTHONPATH": str(root / "python")},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert done.stderr.strip() == f"no /nowhere/at/all on {socket.gethostname()}"
    assert "portwright-raised" not in done.stdout


def test_what_a_shared_port_raises_is_its_fault(
    checkpoint, plant, portwright, host_file, tmp_path
):
    port = plant(
        "qwen3", (r"(def shard\(.*\n)", r"\1        raise ValueError('not cut')\n")
    )
    hosts = host_file("127.0.0.1", "127.0.0.1")
    done = verify_on(
        portwright, checkpoint("qwen3"), hosts, tmp_path / "out", "--port", port
    )
    assert done.returncode == 1
    found = check_of(json.loads(done.stdout), "sharded")
    assert found["status"] == "fail"
    assert "ValueError: not cut" in found["reason"]


@pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh")
def test_a_host_that_is_not_there_is_not_the_ports_fault(
    checkpoint, portwright, host_file, tmp_path
):
    hosts = host_file("127.0.0.1", "nowhere.invalid")
    done = verify_on(portwright, checkpoint("qwen3"), hosts, tmp_path / "out")
    assert done.returncode == 1
    found = check_of(json.loads(done.stdout), "sharded")
    assert found["status"] == "untrusted"
    assert "mlx.launch failed" in found["reason"]


def test_a_fault_in_the_file_names_the_field(checkpoint, portwright, tmp_path):
    hosts = tmp_path / "hosts.json"
    hosts.write_text('[{"ssh": "127.0.0.1", "ips": ["127.0.0.1"]}, {"ssh": ""}]')
    done = verify_on(portwright, checkpoint("qwen3"), hosts, tmp_path / "out")
    assert done.returncode == 2
    assert f"{hosts}: `hosts[1].ssh` has to be the name of a host" in done.stderr
    assert not (tmp_path / "out").exists()
