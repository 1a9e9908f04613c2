"""Ports known to be right pass; with one bug planted, verify fails and says where."""

import re

import pytest

from .conftest import check_of

# gemma.py of mlx-lm computes the exact gelu where the model has the tanh form.
TANH = (r"nn\.gelu\(", "nn.gelu_approx(")
RIGHT = {"llama": [], "qwen3": [], "gemma": [TANH], "mixtral": []}


@pytest.mark.parametrize("kind, edits", RIGHT.items(), ids=RIGHT)
def test_right_port_passes(kind, edits, checkpoint, plant, verify):
    results = verify(checkpoint(kind), plant(kind, *edits))
    # These files read the flat form of rope alone, and `config` says so.
    others = [c for c in results["checks"] if c["name"] != "config"]
    assert {c["status"] for c in others} <= {"pass", "warn", "skipped"}, results
    assert check_of(results, "decode")["value"] < 1e-5


# name, port, what is replaced, the failing check, layer, module
PLANTED = [
    (
        "wrong rope base",
        "llama",
        [(r"rope_theta,\n", "rope_theta * 1.1,\n")],
        "logits",
        0,
        "self_attn.rope",
    ),
    (
        "dropped norm offset",
        "gemma",
        [TANH, (r"1\.0 \+ self\.weight", "self.weight")],
        "logits",
        0,
        "input_layernorm",
    ),
    ("exact gelu for its tanh form", "gemma", [], "logits", 0, "mlp"),
    (
        "lost cache offset",
        "qwen3",
        [
            (r"queries, offset=cache.offset", "queries"),
            (r"keys, offset=cache.offset", "keys"),
        ],
        "decode",
        0,
        "self_attn.rope",
    ),
    (
        "swapped gate and up",
        "qwen3",
        [
            (
                r"self\.gate_proj\(x\), self\.up_proj\(x\)",
                "self.up_proj(x), self.gate_proj(x)",
            )
        ],
        "logits",
        0,
        "mlp",
    ),
    (
        "dropped query norm in one layer",
        "qwen3",
        [
            (r"self\.self_attn\(", "self.attend("),
            (
                r"class TransformerBlock\(nn\.Module\):\n",
                "class TransformerBlock(nn.Module):\n"
                "    def attend(self, *args):\n"
                "        if getattr(self, 'odd', False):\n"
                "            self.self_attn.q_norm.eps = 0.5\n"
                "        return self.self_attn(*args)\n\n",
            ),
            (
                r"(        self\.norm = nn\.RMSNorm\(args\.hidden_size)",
                "        self.layers[1].odd = True\n\\1",
            ),
        ],
        "logits",
        1,
        "self_attn.q_norm",
    ),
    (
        "unnormalised routing weights",
        "mixtral",
        [(r"scores = mx\.softmax\(scores", "scores = 0.9 * mx.softmax(scores")],
        "logits",
        0,
        "block_sparse_moe",
    ),
]


@pytest.mark.parametrize(
    "kind, edits, check, layer, module",
    [p[1:] for p in PLANTED],
    ids=[p[0].replace(" ", "-") for p in PLANTED],
)
def test_planted_bug_is_found(
    kind, edits, check, layer, module, checkpoint, plant, verify
):
    results = verify(checkpoint(kind), plant(kind, *edits))
    assert results["verdict"] == "fail"
    found = check_of(results, check)
    assert found["status"] == "fail"
    assert (found["place"]["layer"], found["place"]["module"]) == (layer, module)
    assert found["place"]["port_line"] and found["place"]["source_line"]


def test_a_bug_of_single_steps_leaves_the_prefill_right(checkpoint, plant, verify):
    port = plant(
        "qwen3",
        (r"queries, offset=cache.offset", "queries"),
        (r"keys, offset=cache.offset", "keys"),
    )
    results = verify(checkpoint("qwen3"), port, ["logits", "decode"])
    assert check_of(results, "logits")["status"] == "pass"
    assert "step 1 is the first" in check_of(results, "decode")["reason"]


def test_float32_inside_a_bfloat16_model_is_found(checkpoint, plant, verify):
    port = plant(
        "qwen3",
        (
            r"return self\.o_proj\(output\)",
            "return self.o_proj(output).astype(mx.float32)",
        ),
    )
    results = verify(checkpoint("qwen3"), port, ["dtype"])
    found = check_of(results, "dtype")
    assert found["status"] == "fail"
    assert (found["place"]["layer"], found["place"]["module"]) == (0, "self_attn")


@pytest.mark.parametrize(
    "old, new, what, line, module",
    [
        (
            r"(self\.post_attention_layernorm)\(h\)",
            r"\1((h + 8) - 8)",
            r"what model\.layers\.\d\.post_attention_layernorm is given errs",
            "r = self.mlp(self.post_attention_layernorm((h + 8) - 8))",
            None,
        ),
        (
            r"out = h \+ r",
            "out = ((h + 8) - 8) + r",
            r"what model\.layers\.\d makes of its modules' answers errs",
            "def __call__(",
            None,
        ),
        (
            r"self\.o_proj\(output\)",
            "self.o_proj((output + 8) - 8)",
            r"what model\.layers\.\d\.self_attn\.o_proj is given errs",
            "return self.o_proj((output + 8) - 8)",
            "self_attn",
        ),
    ],
    ids=["before-a-norm", "in-a-residual", "before-a-projection"],
)
def test_roundings_between_modules_are_found(
    old, new, what, line, module, checkpoint, plant, verify
):
    """Within the noise in float32, and right in every module that is called."""
    port = plant("qwen3", (old, new))
    results = verify(checkpoint("qwen3"), port, ["logits", "bfloat16"])
    assert check_of(results, "logits")["status"] == "pass"
    found = check_of(results, "bfloat16")
    assert found["status"] in ("warn", "fail")
    assert re.search(what, found["reason"])
    place = found["place"]
    assert place["module"] == module
    lines = port.read_text().splitlines()
    assert lines[place["port_line"] - 1].strip() == line


def test_sanitize_that_runs_twice_is_found(checkpoint, plant, verify):
    port = plant(
        "qwen3",
        (
            r"    @property\n    def layers",
            "    def sanitize(self, weights):\n"
            "        return {k: v + 1 if 'norm' in k else v for k, v in weights.items()}\n\n"
            "    @property\n    def layers",
        ),
    )
    results = verify(checkpoint("qwen3"), port, ["weights"])
    found = check_of(results, "weights")
    assert found["status"] == "fail"
    assert "not idempotent" in found["reason"]
