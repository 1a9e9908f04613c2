"""What a wrong module is made of, or given, is named beside it: a field that the config
class computes, weights that sanitize makes, a mask that another module overwrote, a state
that is not told how far it has come."""

import pytest

from .conftest import check_of

OVERWRITES = (
    r"(mask=mask\n +\)\n)(        return self\.c_proj)",
    r"\1        mask[...] = True\n\2",
)

# id: (type, check, what is replaced, tensor, layer and module, the line of what is given)
GIVEN = {
    "a-field-that-the-config-class-computes": (
        "llama",
        "logits",
        [(r"rope\.get\(\"rope_theta\", self\.rope_theta\)", "10000.0 * 2")],
        None,
        (0, "self_attn.rope"),
        "self.rope_theta = 10000.0 * 2",
    ),
    "a-field-of-a-rope-that-the-source-has-not": (
        "phi",
        "logits",
        [(r"rope\.get\(\"rope_theta\", self\.rope_theta\)", "10000.0 * 2")],
        None,
        (0, "self_attn.rope"),  # the source's function is given the rotated part
        "self.partial_rotary_factor = rope.get(",  # the rope takes both
    ),
    "kinds-of-layers-that-the-config-class-computes": (
        "recurrent_gemma",
        "logits",
        [(r'(def layer_types(?:.*\n){3}.*_attention" if x) ==', r"\1 !=")],
        "mask",
        (0, "temporal_block"),
        "def layer_types(self):",
    ),
    "the-kind-of-layer-that-is-made": (
        "recurrent_gemma",
        "weights",
        [(r"(layers_block_type\[layer_idx\]) ==", r"\1 !=")],
        "model.layers.0.temporal_block.k_proj.weight",
        (
            None,
            "model.layers.0.temporal_block.k_proj",
        ),  # no layers, as it is not loaded
        "def layers_block_type(self):",
    ),
    "weights-that-sanitize-makes": (
        "gpt_oss",
        "logits",
        [(r"gate, up = gate_up", "up, gate = gate_up")],
        None,
        (0, "mlp"),
        'weights[f"{prefix}.mlp.switch_mlp.',
    ),
    "a-state-that-is-not-told-how-far-it-is": (
        "rwkv",
        "batch",
        [(r"cache\.advance\(L\)", "pass")],
        None,
        (0, "attention"),
        "cache[",
    ),
}


@pytest.mark.parametrize(
    "kind, check, edits, tensor, module, line", GIVEN.values(), ids=GIVEN
)
def test_what_it_is_made_of_is_named(
    kind, check, edits, tensor, module, line, edited, checkpoint, verify
):
    port = edited(kind, *edits)
    found = check_of(verify(checkpoint(kind), port, [check]), check)
    assert found["status"] in ("warn", "fail"), found
    place = found["place"]
    assert (place["layer"], place["module"]) == module, found
    lines = port.read_text().splitlines()
    assert lines[place["given_line"] - 1].strip().startswith(line)


def test_what_a_prompt_of_a_batch_spoils_is_not_looked_for_in_its_steps(
    edited, checkpoint, verify
):
    """There the caches of the layers behind it are wrong."""
    spoilt = (r"(return self\.o_proj\(.*\))", r"\1 * (2 if B > 1 and L > 1 else 1)")
    found = verify(checkpoint("llama"), edited("llama", spoilt), ["batch"])
    place = check_of(found, "batch")["place"]
    assert (place["layer"], place["module"]) == (0, "self_attn"), found


def test_what_errs_most_is_named_where_noise_alone_adds_up(edited, checkpoint, verify):
    """Every layer is within what is allowed, and the logits are not."""
    kind = "granitemoehybrid"
    noisy = (r"( +)if self\.is_linear:\n", r"\1x = 49 * x - 48 * x\n\g<0>")
    results = verify(checkpoint(kind), edited(kind, noisy), ["logits", "layers"])
    assert check_of(results, "layers")["status"] == "pass", results
    found = check_of(results, "logits")
    assert found["status"] == "fail", found
    assert found["place"]["layer"] == 0 and not found["place"]["module"], found


def test_a_small_error_that_what_follows_enlarges_is_named_where_it_is_made(
    edited, checkpoint, verify
):
    """By itself the module is within what is allowed; its layer is not."""
    kind = "zamba2"
    port = edited(kind, (r"ACTIVATIONS\[self\.hidden_act\]\(", "nn.gelu_approx("))
    found = check_of(verify(checkpoint(kind), port, ["layers"]), "layers")
    assert found["status"] == "fail", found
    place = found["place"]
    assert place["module"] == "shared_transformer.feed_forward", found


def test_whoever_overwrites_a_mask_is_named(edited, checkpoint, verify):
    """Not the module that is given it afterwards, nor the line that makes it."""
    port = edited("gpt2", OVERWRITES)
    found = check_of(verify(checkpoint("gpt2"), port, ["logits"]), "logits")
    place = found["place"]
    assert (place["layer"], place["module"]) == (0, "attn"), found
    assert place["tensor"] == "mask that it overwrites"


def test_a_class_that_only_another_config_makes_is_named(edited, checkpoint, verify):
    """The rope that grows with the length is none of the config's own."""
    port = edited("llama", (r"x\.shape\[-2\]", "x.shape[-3]"))
    found = check_of(verify(checkpoint("llama"), port, ["config"]), "config")
    assert found["status"] == "warn" and "dynamic" in found["reason"], found
    text = port.read_text()
    begin = text[: text.index("class DynamicRoPE")].count("\n") + 1
    end = text[: text.index("def create_rope")].count("\n")
    assert begin <= found["place"]["port_line"] <= end
