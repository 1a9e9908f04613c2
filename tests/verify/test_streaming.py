"""Models that do not fit: streamed weights give the same verdict and numbers, within
bounds, and leave nothing behind."""

import contextlib
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from .conftest import check_of

STREAMED = (
    "weights logits layers decode routing chunked_prefill rotating_cache prompt_cache "
    "batch rope_far generation chat"
).split()


def without_tokenizer(folder):
    """Runs that stream take fewer texts: the same numbers are those of ids."""
    for file in folder.glob("tokenizer*"):
        file.unlink()


@pytest.fixture(scope="module")
def emitted(portwright, tmp_path_factory):
    """A port and a checkpoint of a type."""
    made = {}

    def make(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            for verb in (
                ("synth", kind, "-o", folder / "checkpoint"),
                ("compile", kind, "-o", folder / "port.py", "--fast"),
            ):
                assert portwright(*verb).returncode == 0
            without_tokenizer(folder / "checkpoint")
            made[kind] = folder / "checkpoint", folder / "port.py"
        return made[kind]

    return make


@pytest.fixture(scope="module")
def large(bench, tmp_path_factory):
    """A checkpoint in bfloat16 whose weights take 304 MB in float32."""
    import mlx.core as mx

    folder = tmp_path_factory.mktemp("large")
    sizes = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12}
    heads = {"num_attention_heads": 12, "num_key_value_heads": 4, "head_dim": 64}
    bench(synth="llama", folder=folder, overrides={**sizes, **heads}, flat_rope=True)
    file = str(folder / "model.safetensors")
    weights = {k: w.astype(mx.bfloat16) for k, w in mx.load(file).items()}
    mx.save_safetensors(file, weights, {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["dtype"] = "bfloat16"
    (folder / "config.json").write_text(json.dumps(config))
    without_tokenizer(folder)
    return folder


def start(root, *command, **options):
    return subprocess.Popen(
        [root / "portwright", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PORTWRIGHT_NO_BUILD": "1"},
        **options,
    )


def anonymous_memory(parent):
    """{worker: bytes that no file stands behind} of the workers below a process."""
    out = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
            status = (folder / "status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines())
        for worker in ("reference", "candidate"):
            ours = f"portwright.workers.{worker}_main" in command
            if ours and int(fields["PPid"]) == parent:
                out[worker] = int(fields["RssAnon"].split()[0]) * 1024
    return out


def verify_and_watch(root, *command):
    """(the object on stdout, human text, {worker: the most memory that was seen})"""
    process = start(root, "verify", *command, "--json")
    peaks = {}

    def watch():
        while process.poll() is None:
            for worker, size in anonymous_memory(process.pid).items():
                peaks[worker] = max(size, peaks.get(worker, 0))
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    out, err = process.communicate(timeout=600)
    thread.join()
    assert process.returncode == 0, err
    return json.loads(out), err, peaks


@pytest.mark.parametrize("kind", ["llama", "mixtral", "falcon_h1"])
def test_streamed_numbers_are_the_same(kind, emitted, portwright, tmp_path):
    """Attention, experts, states beside attention."""
    checkpoint, port = emitted(kind)
    results = {}
    for option in ("--stream", "--no-stream"):
        done = portwright(
            *("verify", checkpoint, "--port", port, option, "--json"),
            *("--checks", ",".join(STREAMED), "-o", tmp_path / option),
        )
        assert done.returncode == 0, done.stderr
        results[option] = json.loads(done.stdout)
    streamed, whole = results.values()
    assert streamed["memory"]["streamed"]
    assert not whole["memory"]["streamed"]

    # A window that the model has not is tried on a copy, for which there is no room.
    windows = check_of(whole, "rotating_cache")["reason"].startswith("with ")

    def numbers(result):
        keys = ("name", "status", "value", "threshold", "reason", "series")
        return [
            {key: c.get(key) for key in keys}
            for c in result["checks"]
            if not (windows and c["name"] == "rotating_cache")
        ]

    assert numbers(streamed) == numbers(whole)
    assert streamed["noise"] == whole["noise"]


def test_a_wrong_port_is_wrong_at_the_same_place(
    checkpoint, plant, portwright, tmp_path
):
    port = plant("qwen3", (r"self\.gate_proj\(x\), ", "0.9 * self.gate_proj(x), "))
    done = portwright(
        *("verify", checkpoint("qwen3"), "--port", port, "--stream", "--json"),
        *("-o", tmp_path),
    )
    assert done.returncode == 1
    results = json.loads(done.stdout)
    place = check_of(results, "logits")["place"]
    assert (place["layer"], place["module"]) == (0, "mlp")
    for name, words in (("quantized", "more copies"), ("mask", "too many passes")):
        skipped = check_of(results, name)
        assert skipped["status"] == "skipped"
        assert f"the model is streamed, and this takes {words}" in skipped["reason"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_streaming_bounds_memory(large, root, tmp_path):
    """With a gigabyte the model is streamed unasked: each side then has half of its
    weights less in memory, at least."""
    common = (large, "--checks", "weights,logits,decode")
    whole, _, all_there = verify_and_watch(root, *common, "-o", tmp_path / "whole")
    streamed, said, at_a_time = verify_and_watch(
        root, *common, "--memory", 1, "-o", tmp_path / "streamed"
    )
    assert (
        "both sides in float32 need 1.2 GB, 1.0 GB are there: weights are streamed, "
        "which needs 0.7 GB of memory at a time and 0.9 GB of disk in "
        f"{tmp_path / 'streamed'}" in said
    )
    for side in ("reference", "candidate"):
        assert at_a_time[side] < all_there[side] - 152e6, (side, at_a_time, all_there)
    assert [c["value"] for c in streamed["checks"]] == [
        c["value"] for c in whole["checks"]
    ]
    memory = streamed["memory"]
    assert memory["streamed"] and memory["there_bytes"] == 1e9
    assert "Memory: both sides" in (tmp_path / "streamed" / "report.md").read_text()


@pytest.fixture
def limited(tmp_path):
    """Puts a limit of memory on what `sh -c` is given: a control group of the kernel,
    of version 1 or 2. Its end is to be read from `killed`."""
    groups = Path("/sys/fs/cgroup")
    version_1 = (groups / "memory").is_dir()
    group = groups / ("memory" if version_1 else "") / f"portwright-{os.getpid()}"
    names = ("memory.limit_in_bytes" if version_1 else "memory.max", "cgroup.procs")
    try:
        group.mkdir()
        limit = group / names[0]
        limit.write_text(limit.read_text().strip())  # as root, and if it is there
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"no control group of memory can be made here: {error}")

    def run(size, *command):
        limit.write_text(str(size))
        enter = f'echo $$ > {group / names[1]} && exec "$@"'
        done = subprocess.run(
            ["sh", "-c", enter, "sh", *map(str, command)],
            env={**os.environ, "PORTWRIGHT_NO_BUILD": "1"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        told = group / ("memory.oom_control" if version_1 else "memory.events")
        counts = dict(line.split() for line in told.read_text().splitlines())
        return done, int(counts["oom_kill"])

    yield run
    for _ in range(100):
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)


@pytest.mark.slow
def test_streaming_stays_below_the_limit_of_a_control_group(
    large, root, limited, tmp_path
):
    """The limit is seen, and the kernel kills nobody; held whole, somebody."""
    command = (root / "portwright", "verify", large, "--checks", "weights,logits")
    done, killed = limited(750_000_000, *command, "--json", "-o", tmp_path / "streamed")
    assert (done.returncode, killed) == (0, 0), done.stderr
    assert "0.7 GB are there: weights are streamed" in done.stderr
    assert json.loads(done.stdout)["verdict"] == "pass"
    whole = (*command, "--memory", 4, "-o", tmp_path / "whole")
    done, killed = limited(750_000_000, *whole)
    assert done.returncode == 4 and killed
    assert "worker died" in done.stderr


def test_what_does_not_fit_and_may_not_be_streamed(large, portwright, tmp_path):
    done = portwright("verify", large, "--memory", 1, "--no-stream", "-o", tmp_path)
    assert done.returncode == 1
    assert "1.0 GB are there, and --no-stream forbids to stream" in done.stdout


def test_checks_that_do_not_fit_beside_the_model(large, portwright, tmp_path):
    done = portwright(
        *("verify", large, "--memory", 1.5, "--checks", "logits,bfloat16"),
        *("-o", tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "takes the memory of 6 float32 copies of the weights" in done.stdout


def write_sparse(folder, layers):
    """Layers of a gigabyte in float32, of which the disk holds next to nothing."""
    size = 250_000_000
    header = {}
    for i in range(layers):
        offsets = [2 * size * i, 2 * size * (i + 1)]
        tensor = {"dtype": "BF16", "shape": [size], "data_offsets": offsets}
        header[f"model.layers.{i}.weight"] = tensor
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + 2 * size * layers)


def test_a_disk_without_room_is_told_beforehand(large, portwright, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    shutil.copy(large / "config.json", model)
    free = shutil.disk_usage(tmp_path).free
    write_sparse(model, int(1.5 * free / 1e9) + 10)
    done = portwright("verify", model, "--stream", "-o", tmp_path / "out")
    assert done.returncode == 4
    assert f"the disk of {tmp_path / 'out'} has not enough room" in done.stderr
    assert "name a folder on another disk with --scratch" in done.stderr
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no folder in memory")
def test_a_folder_in_memory_is_no_disk(checkpoint, portwright, tmp_path):
    done = portwright(
        *("verify", checkpoint("llama"), "--stream", "--scratch", "/dev/shm"),
        *("-o", tmp_path),
    )
    assert done.returncode == 4
    assert "/dev/shm lies in memory" in done.stderr


def test_a_disk_that_fills_up_is_no_verdict(large, root, tmp_path):
    """As if it did: no file may be larger than 100 MB."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000_000, 100_000_000))

    scratch = tmp_path / "scratch"
    process = start(
        root,
        *("verify", large, "--stream", "--scratch", scratch, "-o", tmp_path / "out"),
        preexec_fn=limit,
    )
    _, err = process.communicate(timeout=300)
    assert process.returncode == 4
    assert f"torch's weights do not fit into {scratch}" in err
    assert not list(scratch.iterdir())


def test_an_interrupt_leaves_no_scratch(large, root, tmp_path):
    scratch = tmp_path / "scratch"
    process = start(
        root,
        *("verify", large, "--stream", "--scratch", scratch, "-o", tmp_path / "out"),
    )
    limit = time.monotonic() + 300
    while not list(tmp_path.glob("out/results/*/*/checks/weights.json")):
        assert process.poll() is None and time.monotonic() < limit
        assert not scratch.exists() or not list(scratch.iterdir())
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not list(scratch.iterdir())


@pytest.fixture
def workers(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "python")


def test_tensors_on_disk_hold_what_they_held(workers, tmp_path):
    from portwright.workers.scratch import Scratch

    import torch

    scratch = Scratch(tmp_path, torch, segment=20_000)
    given = [
        torch.randn(60, 70),
        torch.randn(3000, dtype=torch.float64)[1:],
        torch.randn(50, 40).T,
        torch.arange(20_000, dtype=torch.int64),
        torch.randn(64, 64).bfloat16(),
        torch.tensor(3.0),
        torch.empty(0, 3),
    ]
    kept = [scratch.keep(tensor) for tensor in given]
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(given, kept))
    assert scratch.written == sum(t.numel() * t.element_size() for t in given[:5])
    kept[0].add_(1)
    assert torch.equal(kept[0], given[0] + 1)
    assert not list(tmp_path.iterdir())


def test_a_transformers_that_loads_otherwise_is_refused(
    workers, checkpoint, monkeypatch, tmp_path
):
    from portwright.workers.protocol import WorkerError
    from portwright.workers.reference import Reference
    from transformers import core_model_loading

    monkeypatch.delattr(core_model_loading, "set_param_for_module")
    with pytest.raises(WorkerError, match="its weights cannot be streamed"):
        Reference(checkpoint("llama"), scratch=tmp_path)


def test_layers_hold_no_weights_after_a_run(workers, checkpoint):
    """What is evaluated counts as memory in use; a parameter that waits does not."""
    code = """
import sys
import mlx.core as mx
from portwright.workers.candidate import Candidate
streamed = Candidate(sys.argv[1], streamed=True)
streamed.forward([[1, 2, 3]], cache=True)
before = mx.get_active_memory()
for _ in range(3):
    streamed.decode([[1, 2, 3, 4]], 2)
    assert mx.get_active_memory() <= before + 4096, mx.get_active_memory() - before
whole = sum(p.nbytes for p in Candidate(sys.argv[1])._fresh().values())
assert before < whole / 10, (before, whole)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, checkpoint("llama")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
