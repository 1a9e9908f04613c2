"""How far the errors of equally exact roundings lie apart in bfloat16.

    python bench/rounding_scatter.py -o DIR [--seeds 5] [MODEL ...]

torch and a sound port both compute in bfloat16, each with roundings of its own. The
error of either is the median over tokens of |difference| / |logits| from torch in
float32: of a prompt, steps after it, a prompt that goes far, steps after that. Over
seeds, the ratio of the two scatters around its median; `verify --prove` takes no more
than that scatter for a bug without effect.
"""

import argparse
import statistics
import sys
from pathlib import Path

from launcher import portwright
from proof_table import MODELS

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

from portwright.workers.candidate import Candidate  # noqa: E402
from portwright.workers.reference import Reference  # noqa: E402

PROMPT, FAR, STEPS = 27, 320, 4


def runs(vocabulary):
    """(ids, prefill): no prefill is a prompt at once."""
    for length in (PROMPT, FAR):
        ids = [[(i * 37 + 11) % (vocabulary - 32) for i in range(length)]]
        yield ids, 0
        yield ids, length - STEPS


def logits(side, ids, prefill):
    import numpy as np

    run = side.decode(ids, prefill) if prefill else side.forward(ids)
    made = run[0]["logits"]
    if hasattr(made, "detach"):
        return made.detach().float().numpy()[0]
    return np.array(made.astype(side.mx.float32))[0]


def error(ours, exact):
    import numpy as np

    apart = np.linalg.norm(ours - exact, axis=-1)
    return float(np.median(apart / np.linalg.norm(exact, axis=-1)))


def ratios(checkpoint, port):
    """Of the port's error to torch's, for each run."""
    exact, low = Reference(checkpoint), Reference(checkpoint, "bfloat16")
    ours = Candidate(checkpoint, port, "bfloat16").keep(low.kept("bfloat16"))
    out = []
    for ids, prefill in runs(ours.config["vocab_size"]):
        true = logits(exact, ids, prefill)
        errors = [error(logits(side, ids, prefill), true) for side in (ours, low)]
        out.append(errors[0] / errors[1])
    return out


def measure(model, seeds, root):
    """Each ratio over its median."""
    found = []
    port = root / f"{model}.py"
    for seed in range(1, seeds + 1):
        checkpoint = root / f"{model}-{seed}"
        if not checkpoint.exists():
            portwright("synth", model, "--seed", seed, "-o", checkpoint)
        if not port.exists():
            portwright("compile", checkpoint, "-o", port, "--fast")
        try:
            found.append(ratios(checkpoint, port))
        except RuntimeError as problem:  # torch itself does not compute this
            print(f"{model}: {problem}", file=sys.stderr)
            return []
    middle = [statistics.median(run) for run in zip(*found)]
    return [r / m for row in found for r, m in zip(row, middle)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", default=MODELS)
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    root = options.folder.resolve()
    root.mkdir(parents=True, exist_ok=True)
    every = []
    for model in options.models:
        found = measure(model, options.seeds, root)
        every += found
        if found:
            print(f"{model:<18} {min(found):.3f} to {max(found):.3f}", flush=True)
    every.sort()
    most = every[int(0.99 * (len(every) - 1))]
    print(
        f"{len(every)} ratios: 99 of 100 up to {most:.3f}, the largest {every[-1]:.3f}"
    )


if __name__ == "__main__":
    main()
