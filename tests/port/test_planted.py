"""A bug planted into an emitted file is found, and its place named."""

import json

import pytest
from verify.conftest import check_of

from .conftest import answer

WRONG_ROPE_BASE = [(r"base=args\.rope_theta", "base=args.rope_theta * 1.1")]
LOST_CACHE_OFFSET = [
    (r"self\.rope\(queries, offset=cache\.offset\)", "self.rope(queries)"),
    (r"self\.rope\(keys, offset=cache\.offset\)", "self.rope(keys)"),
]
SWAPPED_GATE_AND_UP = [
    (
        r"self\.gate_proj\(x\)(\)? ?[*,] ?)self\.up_proj\(x\)",
        r"self.up_proj(x)\1self.gate_proj(x)",
    )
]
SWAPPED_IN_TWO_STATEMENTS = [
    (r"\(self\.gate_proj\(x\)\)", "(self.up_proj(x))"),
    (r"gate \* self\.up_proj\(x\)", "gate * self.gate_proj(x)"),
]
DROPPED_NORM_OFFSET = [(r"1\.0 \+ self\.weight", "self.weight")]
SWAPPED_EXPERTS = [
    (r"self\.switch_mlp = SwitchGLU\(", "self.switch_mlp = Swapped("),
    (
        r"class SparseMoeBlock",
        "class Swapped(SwitchGLU):\n"
        "    def __call__(self, x, indices):\n"
        "        self.gate_proj, self.up_proj = self.up_proj, self.gate_proj\n"
        "        out = super().__call__(x, indices)\n"
        "        self.gate_proj, self.up_proj = self.up_proj, self.gate_proj\n"
        "        return out\n\n\n"
        "class SparseMoeBlock",
    ),
]

# type, what is replaced, the failing check, modules of layer 0 that may be named
PLANTED = {
    "llama-wrong-rope-base": (WRONG_ROPE_BASE, "logits", "self_attn"),
    "gemma-wrong-rope-base": (WRONG_ROPE_BASE, "logits", "self_attn"),
    "qwen3-wrong-rope-base": (WRONG_ROPE_BASE, "logits", "self_attn"),
    "mixtral-wrong-rope-base": (WRONG_ROPE_BASE, "logits", "self_attn"),
    "llama-lost-cache-offset": (LOST_CACHE_OFFSET, "decode", "self_attn"),
    "gemma-lost-cache-offset": (LOST_CACHE_OFFSET, "decode", "self_attn"),
    "qwen3-lost-cache-offset": (LOST_CACHE_OFFSET, "decode", "self_attn"),
    "mixtral-lost-cache-offset": (LOST_CACHE_OFFSET, "decode", "self_attn"),
    "llama-swapped-gate-and-up": (SWAPPED_GATE_AND_UP, "logits", "mlp"),
    "gemma-swapped-gate-and-up": (SWAPPED_IN_TWO_STATEMENTS, "logits", "mlp"),
    "qwen3-swapped-gate-and-up": (SWAPPED_GATE_AND_UP, "logits", "mlp"),
    "mixtral-swapped-gate-and-up": (SWAPPED_EXPERTS, "logits", "mlp"),
    "gemma-dropped-norm-offset": (DROPPED_NORM_OFFSET, "logits", "input_layernorm"),
}


def named(place):
    return place["layer"], (place["module"] or "").split(".")[0]


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bug_is_found(bug, checkpoint, plant, bench):
    kind = bug.split("-")[0]
    edits, check, module = PLANTED[bug]
    port = plant(kind, edits)
    results = bench(checkpoint=checkpoint(kind), port=port, checks=["logits", "decode"])
    assert results["verdict"] == "fail"
    found = check_of(results, check)
    assert found["status"] == "fail", found
    assert named(found["place"]) == (0, module), found
    assert found["place"]["port_line"] and found["place"]["source_line"]


def test_verify_says_so(checkpoint, plant, portwright, tmp_path):
    """The command itself: exit code 1, the place on the terminal."""
    port = plant("llama", WRONG_ROPE_BASE)
    done = portwright(
        "verify", checkpoint("llama"), "--port", port, "--quick", "-o", tmp_path / "o"
    )
    assert done.returncode == 1
    assert "layer 0, self_attn" in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["llama", "mixtral"])
def test_battery_proves_itself(kind, checkpoint, emitted, portwright, tmp_path):
    """Every bug of the catalogue that has an effect is caught."""
    port = tmp_path / f"{kind}.py"
    port.write_text(emitted(kind))
    done = portwright(
        *("verify", checkpoint(kind), "--port", port, "--prove", "--json"),
        *("-o", tmp_path / "o"),
    )
    assert done.returncode == 0, done.stderr
    planted = answer(done)["planted"]
    assert planted == json.loads((tmp_path / "o" / "planted.json").read_text())
    caught = [b for b in planted["bugs"] if b["status"] == "caught"]
    assert planted["summary"]["not caught"] == 0
    assert len(caught) >= 24
    checks = {b["check"] for b in caught}
    assert {"logits", "decode", "weights"} <= checks
    # Padding, and caches that slide where that was off.
    assert checks & {"batch", "rotating_cache"}
    assert not [b["name"] for b in caught if b["placed"] is False]
