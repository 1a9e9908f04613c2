"""The library before v5: its configs, caches, tied keys and packages, equal to torch.

Its source and an environment that has it are named by PORTWRIGHT_OLDER_TRANSFORMERS
and PORTWRIGHT_OLDER_PYTHON; docs/native.md says how to make them.
"""

import json
import os

import pytest

# One each of: tied by a prefix, tied by its own method, infinities in the config,
# a module list indexed by a tensor, per-layer rotary, a deprecated package, exports
# beside the config, unnamed logits_to_keep, several kinds of cache.
TYPES = """
    bert gemma3_text gpt2 jamba llama mamba2 megatron-bert mixtral open-llama opt phi3
    prophetnet qwen2
""".split()


@pytest.fixture
def older():
    found = [
        os.environ.get(f"PORTWRIGHT_OLDER_{name}")
        for name in ("TRANSFORMERS", "PYTHON")
    ]
    if not all(found):
        pytest.skip("no older transformers is named")
    return ["--transformers", found[0], "--reference-python", found[1]]


def test_equals_torch(older, portwright, request):
    """With --all-types all that it has: nothing differs, and 95% are equal."""
    everything = request.config.getoption("--all-types")
    done = portwright(
        "sweep",
        "--native",
        "--json",
        *older,
        *([] if everything else TYPES),
        timeout=7200,
    )
    table = json.loads(done.stdout)
    assert table["versions"]["transformers source"].startswith("4.")
    assert table["versions"]["transformers"].startswith("4.")
    counts = table["summary"]
    compared = sum(n for status, n in counts.items() if status != "no reference")
    assert not set(counts) - {"equal", "refused", "no reference"}, done.stderr
    assert counts["equal"] >= (0.95 * compared if everything else len(TYPES))
