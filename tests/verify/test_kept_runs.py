"""Runs that are kept: found whole, repeated, interrupted and gone on with."""

import json
import os
import signal
import subprocess
import time

import pytest


def the_archive(folder):
    (archive,) = [p for p in (folder / "results").glob("*/*") if p.is_dir()]
    return archive


def stored(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def manifest(checkpoint, hand_written_file, tmp_path_factory):
    """Version 2: a hand-written port, on a checkpoint and on a narrower twin."""
    folder = tmp_path_factory.mktemp("manifest")
    (folder / "tiny").symlink_to(checkpoint("qwen3"))
    (folder / "port.py").write_text(hand_written_file("qwen3"))
    (folder / "m.yaml").write_text(
        "version: 2\nmodel_type: qwen3\nport: port.py\nmode: quick\n"
        "checks: [weights, logits]\nvariants:\n"
        "  - {model: tiny, type: base, expected_dtype: bfloat16}\n"
        "  - {name: narrow, model: qwen3, set: {intermediate_size: 96}, seed: 3}\n"
    )
    return folder / "m.yaml"


@pytest.fixture(scope="module")
def hand_written_file():
    import importlib.util
    from pathlib import Path

    package = Path(importlib.util.find_spec("mlx_lm").origin).parent
    return lambda name: (package / "models" / f"{name}.py").read_text()


@pytest.fixture(scope="module")
def interrupted(manifest, root, tmp_path_factory):
    """(the command, its folder, stderr) of a run interrupted after a check."""
    out = tmp_path_factory.mktemp("run")
    command = ("verify", "--manifest", manifest, "-o", out)
    process = subprocess.Popen(
        [root / "portwright", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PORTWRIGHT_NO_BUILD": "1"},
    )
    limit = time.monotonic() + 300
    while not list(out.glob("results/*/*/variants/*/checks/weights.json")):
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    return command, out, err


@pytest.fixture(scope="module")
def partial(interrupted):
    """What the interrupt left: results.json, and the check that had ended."""
    _, out, _ = interrupted
    file = the_archive(out) / "variants" / "tiny" / "checks" / "weights.json"
    return stored(out), json.loads(file.read_text())


@pytest.fixture(scope="module")
def run(interrupted, partial, portwright):
    """(the finished `verify --manifest --resume`, its folder)"""
    command, out, _ = interrupted
    return portwright(*command, "--resume", "--json"), out


def test_what_an_interrupt_leaves_is_valid(interrupted, partial, portwright, tmp_path):
    _, out, err = interrupted
    assert "with --resume the same command goes on" in err
    results, _ = partial
    assert results["verdict"] == "untrusted"
    assert [v["pending"] for v in results["variants"]][1] == ["weights", "logits"]
    archive = the_archive(out)
    if not (archive / "results.json").exists():  # another test may have gone on
        early = portwright("verify", "--from", archive, "-o", tmp_path)
        assert early.returncode == 4
        assert "did not finish" in early.stderr


def test_a_run_goes_on_where_it_was(run, partial):
    done, out = run
    assert f"going on with {the_archive(out)}" in done.stderr
    results = json.loads(done.stdout)
    assert "pending" not in done.stdout
    # Not run again: it took as long to the last digit.
    assert results["checks"][0]["seconds"] == partial[1]["seconds"]


def test_a_manifest_is_run_on_every_variant(run):
    done, out = run
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results == stored(out)
    # The config says float32; that is no fault of the port.
    assert results["verdict"] == "warn"
    assert [v["name"] for v in results["variants"]] == ["tiny", "narrow"]
    found = {(c["variant"], c["name"]): c["status"] for c in results["checks"]}
    assert found == {
        ("tiny", "weights"): "pass",
        ("tiny", "logits"): "pass",
        ("tiny", "expected_dtype"): "warn",
        ("narrow", "weights"): "pass",
        ("narrow", "logits"): "pass",
    }
    assert "manifest expects bfloat16" in (out / "report.md").read_text()


def test_everything_is_kept(run, manifest):
    _, out = run
    archive = the_archive(out)
    assert archive.parent.name == "qwen3"
    assert (archive / "port.py").read_text() == (
        manifest.parent / "port.py"
    ).read_text()
    assert (
        "set:\n      intermediate_size: 96" in (archive / "manifest.yaml").read_text()
    )
    facts = json.loads((archive / "run.json").read_text())
    assert facts["command"][:2] == ["verify", "--manifest"]
    assert facts["hardware"]["cores"] == os.cpu_count()
    assert {"torch", "transformers", "mlx", "mlx-lm", "portwright"} <= set(
        facts["subject"]["versions"]
    )
    tiny = facts["subject"]["variants"][0]
    assert len(tiny["inputs"]["ids"]) >= 27
    assert "model.safetensors" in tiny["files"]
    for variant in ("tiny", "narrow"):
        folder = archive / "variants" / variant
        assert (folder / "report.html").stat().st_size > 1000
        check = json.loads((folder / "checks" / "logits.json").read_text())
        asked = check["exchanges"][0]
        assert (asked["side"], asked["op"]) == ("reference", "forward")
        assert asked["arguments"]["ids"] and asked["tensors"]["logits"]["digest"]


def test_experience_is_quoted(run):
    done, out = run
    results = json.loads(done.stdout)
    logits = next(c for c in results["checks"] if c["name"] == "logits")
    text = logits["judgement"]["text"]
    assert "sound ports of this depth" in text and "in float32 (median " in text
    assert f"- logits {text}" in (out / "report.md").read_text()
    assert f"by experience, logits {text}" in done.stderr


def test_kept_tensors_are_the_logits(run):
    from safetensors.numpy import load_file

    _, out = run
    folder = the_archive(out) / "variants" / "narrow"
    kept = load_file(folder / "tensors.safetensors")
    torch, port = (kept[f"prefill/{side}/logits"] for side in ("torch", "port"))
    assert abs(torch - port).max() / abs(torch).max() < 1e-4


def test_a_run_repeats_to_the_last_bit(run, portwright, tmp_path):
    _, out = run
    done = portwright("verify", "--from", the_archive(out), "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "verdict warn as on " in done.stdout
    assert "5 of 5 checks ended as before, 5 to the last bit" in done.stdout
    assert "changed" not in done.stdout
    assert (the_archive(tmp_path) / "changes.json").exists()


def test_another_port_is_told_from_the_kept_one(
    run, portwright, hand_written_file, tmp_path
):
    _, out = run
    port = tmp_path / "other.py"
    port.write_text(
        hand_written_file("qwen3").replace(
            "self.scale = head_dim**-0.5", "self.scale = 0.9 * head_dim**-0.5"
        )
    )
    folder = tmp_path / "out"
    done = portwright(
        "verify", "--from", the_archive(out), "--port", port, "-o", folder, "--json"
    )
    assert done.returncode == 1, done.stderr
    changes = json.loads(done.stdout)["changes"]
    assert changes == json.loads((folder / "changes.json").read_text())
    assert changes["verdict"] == ["warn", "fail"]
    assert [c["what"] for c in changes["subject"]] == ["port"]
    assert {(c["variant"], c["name"]) for c in changes["checks"]} == {
        ("tiny", "logits"),
        ("narrow", "logits"),
    }


def test_what_is_no_run_is_named(portwright, tmp_path):
    done = portwright("verify", "--from", tmp_path, "-o", tmp_path / "o")
    assert done.returncode == 4
    assert "has no run.json" in done.stderr
    done = portwright("verify", "-o", tmp_path / "o")
    assert done.returncode == 2
    assert "nothing to verify" in done.stderr


def test_a_checkpoint_that_is_gone_is_named(run, portwright, tmp_path):
    import shutil

    _, out = run
    archive = shutil.copytree(the_archive(out), tmp_path / "moved")
    facts = (archive / "run.json").read_text()
    gone = json.loads(facts)["subject"]["manifest"]["variants"][0]["model"]
    (archive / "run.json").write_text(facts.replace(gone, "/nowhere/at/all"))
    done = portwright("verify", "--from", archive, "-o", tmp_path / "o")
    assert done.returncode == 4
    assert "the checkpoint of that run is gone: /nowhere/at/all" in done.stderr
