"""One of two processes that load a port by mlx_lm's sharded_load, each from a folder
with the files of its layers alone; run by mlx.launch."""

import json
import sys
from pathlib import Path

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load_model, sharded_load
from portwright.workers.candidate import import_port

IDS = mx.array([[3, 5, 7, 11, 13, 2, 9, 4]])


def logits(model):
    cache = make_prompt_cache(model)
    parts = []
    for tokens in mx.split(IDS, list(range(5, IDS.shape[1])), axis=1):
        parts.append(model(tokens, cache=cache))
        # As mlx_lm generates: in one graph of several steps, nothing says in which
        # order two processes talk to each other.
        mx.eval(parts[-1])
    return mx.concatenate(parts, axis=1).astype(mx.float32)


def main():
    folder, kind, port = sys.argv[1:]
    sys.modules[f"mlx_lm.models.{kind}"] = import_port(port)
    group = mx.distributed.init(backend="ring", strict=True)
    own = Path(folder, f"rank{group.rank()}")
    model, _ = sharded_load(str(own), pipeline_group=group)
    got = logits(model)
    mx.eval(got)
    if group.rank() == 0:
        whole, _ = load_model(Path(folder, "whole"))
        expected = logits(whole)
        error = mx.abs(got - expected).max() / mx.abs(expected).max()
        found = {"error": error.item(), "layers": len(model.layers)}
        Path(folder, "answer.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
