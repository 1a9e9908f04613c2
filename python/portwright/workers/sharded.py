"""A port on several processes of this machine: run by mlx.launch, once a rank.

mlx_lm shares a model in two ways: each process has a part of every layer (`shard`), or
some of the layers (`pipeline`).
"""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from .protocol import WorkerError

_LAUNCH = "from mlx._distributed_utils.launch import main; main()"


def method(model, way):
    """What shares the model in that way, by the place where mlx_lm's sharded_load
    looks for it; None where the port has it not."""
    owner = model if way == "shard" else getattr(model, "model", None)
    return getattr(owner, way, None)


def launch(candidate, way, port, ids, prefill, out, ranks=2, seconds=300):
    """Logits of a prefill and steps by the shared port, written to `out`; in a
    pipeline those of `generate` beside them."""
    here = Path(__file__).resolve().parents[2]
    task = {
        "checkpoint": str(candidate.checkpoint),
        "way": way,
        "port": port,
        "dtype": candidate.dtype,
        "kept": candidate.kept,
        "ids": ids,
        "prefill": prefill,
        "out": out,
    }
    command = [
        *(sys.executable, "-c", _LAUNCH, "-n", str(ranks), "--backend", "ring"),
        *("--starting-port", str(random.randrange(20000, 50000, 10)), "--"),
        *(sys.executable, "-m", "portwright.workers.sharded", json.dumps(task)),
    ]
    # A session of its own: mlx.launch ends whole groups of processes.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(here)},
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise WorkerError("late", f"no answer in {seconds} s") from error
    if not Path(out).exists():
        tail = [line for line in said.splitlines() if "Error" in line]
        raise WorkerError("sharded-failed", tail[0] if tail else said[-500:])


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


def main():
    import mlx.core as mx

    group = mx.distributed.init(backend="ring", strict=True)
    from .candidate import Candidate

    task = json.loads(sys.argv[1])
    candidate = Candidate(task["checkpoint"], task["port"], task["dtype"])
    candidate.keep(task["kept"])
    method(candidate.model, task["way"])(group)
    shown, _ = candidate.decode(task["ids"], task["prefill"])
    tensors = {"logits": shown["logits"]}
    if task["way"] == "pipeline":
        tensors["generated"] = generate(candidate, task["ids"], task["prefill"])
    mx.eval(tensors)
    if group.rank() == 0:
        draft = task["out"] + ".draft.safetensors"
        mx.save_safetensors(draft, tensors)
        os.replace(draft, task["out"])


if __name__ == "__main__":
    main()
