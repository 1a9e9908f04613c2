"""Ports shared by several machines; here this one stands for all of them."""

import json
import shutil

import pytest

from .conftest import check_of


@pytest.fixture
def host_file(tmp_path):
    def write(*names):
        hosts = [{"ssh": name, "ips": ["127.0.0.1"]} for name in names]
        path = tmp_path / "hosts.json"
        path.write_text(json.dumps({"backend": "ring", "hosts": hosts}))
        return path

    return write


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
