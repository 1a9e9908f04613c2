"""Bugs that a prompt hardly shows are seen when modules are given inputs made for them."""

import re

import pytest

from .conftest import check_of

# id: (type, what is replaced, what it is given, layer, module)
PLANTED = {
    "eps-of-the-last-norm": (
        "falcon_h1",
        (r"(self\.final_layernorm = nn\.RMSNorm\(.*?eps=)", r"\g<1>10 * "),
        "an eps matters",
        (None, "model.final_layernorm"),
    ),
    "eps-of-a-norm-of-compressed-queries": (
        "deepseek_v3",
        (r"(self\.q_a_layernorm = nn\.RMSNorm\(.*eps=)", r"\g<1>10 * "),
        "an eps matters",
        (0, "self_attn.q_a_layernorm"),
    ),
    "eps-inside-a-module": (
        "qwen3_next",
        (r"(inv_scale=.*, eps=)1e-06", r"\g<1>1e-05"),
        "an eps matters",
        (0, "linear_attn"),
    ),
    "a-cap-where-there-is-none": (
        "qwen3",
        (r"(return self\.down_proj\()(.*)\)$", r"\g<1>200 * mx.tanh(\2 / 200))"),
        "caps and tails matter",
        (0, "mlp"),
    ),
}


@pytest.mark.parametrize("kind, edit, what, place", PLANTED.values(), ids=PLANTED)
def test_what_a_prompt_hardly_shows_is_found_under_stress(
    kind, edit, what, place, emitted, checkpoint, verify, tmp_path
):
    text = emitted(kind)
    planted = re.sub(*edit, text, flags=re.MULTILINE)
    assert planted != text
    port = tmp_path / "port.py"
    port.write_text(planted)
    found = check_of(verify(checkpoint(kind), port, ["stress"]), "stress")
    assert found["status"] == "fail" and what in found["reason"], found
    assert (found["place"]["layer"], found["place"]["module"] or "") == place


@pytest.mark.parametrize("kind", ["mpt", "ctrl", "mamba2", "mixtral", "llama4_text"])
def test_sound_ports_pass_under_stress(kind, emitted, checkpoint, verify, tmp_path):
    """Modules that take several inputs, attend by slopes, keep states, or choose."""
    port = tmp_path / "port.py"
    port.write_text(emitted(kind))
    found = check_of(verify(checkpoint(kind), port, ["stress"]), "stress")
    assert found["status"] == "pass", found
