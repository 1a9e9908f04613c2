"""A port on several processes, here or on other machines: run by mlx.launch, once a
rank. The first prints the logits: it may be far away, and files are not shared.

mlx_lm shares a model in two ways: each process has a part of every layer (`shard`), or
some of the layers (`pipeline`).
"""

import base64
import hashlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from .protocol import WorkerError

_LAUNCH = "from mlx._distributed_utils.launch import main; main()"
_MARK = "portwright-logits"
_RAISED = "portwright-raised: "
_LINE = 3000  # characters


def method(model, way):
    """What shares the model in that way, by the place where mlx_lm's sharded_load
    looks for it; None where the port has it not."""
    owner = model if way == "shard" else getattr(model, "model", None)
    return getattr(owner, way, None)


def launch(candidate, way, port, ids, prefill, out, ranks=2, hosts=None, seconds=300):
    """Logits of a prefill and steps by the shared port, written to `out`; in a
    pipeline those of `generate` beside them.

    `hosts` {file, backend, count}: what mlx.launch reads as --hostfile, else
    `ranks` processes of this machine.
    """
    here = Path(__file__).resolve().parents[2]
    task = {
        "checkpoint": str(candidate.checkpoint),
        "way": way,
        "port": _packed(Path(port).read_bytes()) if port else None,
        "dtype": candidate.dtype,
        "kept": candidate.kept,
        "ids": ids,
        "prefill": prefill,
        "backend": (hosts or {}).get("backend", "ring"),
    }
    where = ["--hostfile", hosts["file"]] if hosts else ["-n", str(ranks)]
    command = [
        *(sys.executable, "-c", _LAUNCH, *where, "--backend", task["backend"]),
        *("--starting-port", str(random.randrange(20000, 50000, 10))),
        *("--env", f"PYTHONPATH={here}", "--"),
        *(sys.executable, "-m", "portwright.workers.sharded", json.dumps(task)),
    ]
    # A session of its own: mlx.launch ends whole groups of processes.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": str(here)},
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise WorkerError("late", f"no answer in {seconds} s") from error
    data = _printed(said)
    if data is None:
        raise _failure(said)
    Path(out).write_bytes(data)


def _failure(said):
    """What a rank raised is the port's fault; else mlx.launch or a host failed."""
    lines = re.sub("\x1b\\[[0-9;]*m", "", said).splitlines()
    for line in lines:
        if line.startswith(_RAISED):
            return WorkerError("sharded-failed", line.removeprefix(_RAISED))
    words = " ".join(line.strip() for line in lines if _MARK not in line)
    return WorkerError("launch-failed", words[-500:] or "it said nothing")


def _packed(data):
    return base64.b64encode(zlib.compress(data)).decode()


def _print(data):
    text = _packed(data)
    for start in range(0, len(text), _LINE):
        print(f"{_MARK}: {text[start : start + _LINE]}")
    print(f"{_MARK}-end: {hashlib.sha256(data).hexdigest()}", flush=True)


def _printed(said):
    """What `_print` printed, if it arrived whole."""
    text, digest = "", None
    for line in said.splitlines():
        if line.startswith(_MARK + ": "):
            text += line.partition(": ")[2].strip()
        elif line.startswith(_MARK + "-end: "):
            digest = line.partition(": ")[2].strip()
    try:
        data = zlib.decompress(base64.b64decode(text, validate=True))
    except (ValueError, zlib.error):
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None


def generate(candidate, ids, prefill):
    """The same logits as mlx_lm's generate_step goes: of a prompt's tokens but the
    last it reads the caches alone."""
    mx = candidate.mx
    ids = candidate.array(ids)
    cache = candidate.new_cache()
    candidate.model(ids[:, : prefill - 1], cache=cache)
    mx.eval([c.state for c in cache])
    steps = []
    for t in range(prefill - 1, ids.shape[1]):
        steps.append(candidate.model(ids[:, t : t + 1], cache=cache))
        mx.eval(steps[-1])
    return mx.concatenate(steps, axis=1)


def _logits_of(task, group, folder):
    """{name: logits} of the port, of which this process holds its part."""
    import mlx.core as mx

    from .candidate import Candidate

    port = task["port"]
    if port is not None:
        (folder / "port.py").write_bytes(zlib.decompress(base64.b64decode(port)))
        port = folder / "port.py"
    candidate = Candidate(task["checkpoint"], port, task["dtype"], lazy=True)
    candidate.keep(task["kept"])
    method(candidate.model, task["way"])(group)
    # Only now: what the others hold is not kept.
    mx.eval(candidate.model.parameters())
    shown, _ = candidate.decode(task["ids"], task["prefill"])
    tensors = {"logits": shown["logits"]}
    if task["way"] == "pipeline":
        tensors["generated"] = generate(candidate, task["ids"], task["prefill"])
    mx.eval(tensors)
    return tensors


def main():
    import mlx.core as mx

    task = json.loads(sys.argv[1])
    if not Path(task["checkpoint"]).exists():  # of this machine, not the port
        sys.exit(f"no {task['checkpoint']} on {socket.gethostname()}")
    backend = task["backend"].removesuffix("-ring")  # jaccl-ring is a way of jaccl's
    group = mx.distributed.init(backend=backend, strict=True)
    with tempfile.TemporaryDirectory(prefix="portwright-") as name:
        folder = Path(name)
        try:
            tensors = _logits_of(task, group, folder)
        except Exception as error:
            said = f"{type(error).__name__}: {error}".replace("\n", " ")
            print(_RAISED + said, flush=True)
            raise
        if group.rank() == 0:
            file = folder / "logits.safetensors"
            mx.save_safetensors(str(file), tensors)
            _print(file.read_bytes())


if __name__ == "__main__":
    main()
