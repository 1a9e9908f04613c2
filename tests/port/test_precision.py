"""What the source computes in float32 whatever the model's dtype, the port does too:
a recording in float32 alone would not show the conversions."""

import json

import pytest


@pytest.mark.parametrize(
    "kind, line",
    [
        ("mixtral", "mx.softmax(self.gate(x).astype(mx.float32), axis=-1)"),
        ("deepseek_v3", "x.astype(mx.float32) @ self.weight.T"),
    ],
)
def test_routers_keep_float32(kind, line, portwright, checkpoint, tmp_path):
    file = tmp_path / "port.py"
    done = portwright("compile", checkpoint(kind), "-o", file, "--fast")
    assert done.returncode == 0, done.stderr
    assert line in file.read_text()


@pytest.mark.parametrize("kind", ["mamba2", "falcon_mamba", "zaya"])
def test_states_that_layers_add_to_in_float32_do_not_lose_it(
    kind, portwright, checkpoint, tmp_path
):
    model, file = checkpoint(kind), tmp_path / "port.py"
    done = portwright("compile", model, "-o", file, "--fast")
    assert done.returncode == 0, done.stderr
    assert "h = h.astype(mx.float32)" in file.read_text()
    done = portwright(
        "verify", model, "--port", file, "--checks", "dtype,bfloat16", "-o", tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stdout


@pytest.mark.parametrize(
    "kind, members",
    [
        ("llama", {}),
        (
            "qwen3_moe",
            {"quant_predicate": 'path.endswith("mlp.gate")'},
        ),
        (
            "glm4_moe",
            {"cast_predicate": '"e_score_correction_bias" not in k'},
        ),
    ],
)
def test_conversion_keeps_what_precision_matters_to(
    kind, members, portwright, checkpoint, tmp_path
):
    file = tmp_path / "port.py"
    done = portwright("compile", checkpoint(kind), "-o", file, "--fast")
    assert done.returncode == 0, done.stderr
    text = file.read_text()
    for name in ("quant_predicate", "cast_predicate"):
        assert (f"def {name}(self):" in text) == (name in members)
        assert members.get(name, "") in text


def test_rows_routed_otherwise_do_not_tell_of_precision(
    portwright, checkpoint, tmp_path
):
    """Of three rows two have a token each that bfloat16 gives to other experts in the
    port than in float32, and all that come after it differ: many rows tell."""
    config = json.loads((checkpoint("inkling_text") / "config.json").read_text())
    kinds = ["hybrid_sliding", "hybrid", "hybrid", "hybrid_sliding"]
    config.update(layer_types=kinds, shared_expert_sink=False)
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = portwright("compile", tmp_path, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 0, done.stderr
