"""What a sound port does as its source does is no finding; what looks alike and is not
stays one."""

import pytest

from .conftest import check_of

# id: (type, check, what is replaced)
SOUND = {
    # Its logits, which torch's router answers first, are bfloat16.
    "a-router-that-weighs-in-float32": ("minimax_m3_vl_text", "dtype", ()),
    # The source has its weights in float32, and gives them to a function.
    "a-convolution-with-float32-weights": ("bailing_hybrid", "dtype", ()),
    # Experts without weights of their own have some in the checkpoint.
    "weights-of-experts-that-have-none": ("longcat_flash", "weights", ()),
    "buffers-that-the-config-decides": ("minimax", "weights", ()),
    # Fed in pieces: a row may have more tokens to come than the piece has.
    "states-of-unequal-rows": ("mamba2", "batch", ()),
}


@pytest.mark.parametrize("kind, check, edits", SOUND.values(), ids=SOUND)
def test_a_sound_port_passes(kind, check, edits, edited, checkpoint, verify):
    found = check_of(verify(checkpoint(kind), edited(kind, *edits), [check]), check)
    assert found["status"] == "pass", found


# id: (type, check, what is replaced, status, what is said of it)
WRONG = {
    "float32-after-a-convolution": (
        "bailing_hybrid",
        "dtype",
        [(r"(nn\.silu\(self\.conv1d\(x\)\))\.astype\(x\.dtype\)", r"\1")],
        "fail",
        "computes in float32 from model.layers.0.self_attn",
    ),
    "a-bias-that-torch-adds": (
        "qwen2",
        "weights",
        [
            (r"bias=True", "bias=False"),
            (
                r"    def sanitize\(self, weights\):\n",
                "    def sanitize(self, weights):\n"
                "        weights = {k: v for k, v in weights.items() if 'bias' not in k}\n",
            ),
        ],
        "warn",
        "sanitize drops model.layers.",
    ),
    "an-expert-that-torch-has": (
        "longcat_flash",
        "weights",
        [
            (r"self\.num_experts = args\.n_routed_experts", r"\g<0> - 1"),
            (r"expert_ffn_hidden_size, args\.n_routed_experts", r"\g<0> - 1"),
            (r"range\(self\.args\.n_routed_experts", r"\g<0> - 1"),
        ],
        "warn",
        "sanitize drops model.layers.",
    ),
}


@pytest.mark.parametrize("kind, check, edits, status, said", WRONG.values(), ids=WRONG)
def test_what_looks_alike_is_found(
    kind, check, edits, status, said, edited, checkpoint, verify
):
    found = check_of(verify(checkpoint(kind), edited(kind, *edits), [check]), check)
    assert found["status"] == status, found
    assert said in found["reason"], found
