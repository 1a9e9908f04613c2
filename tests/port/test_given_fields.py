"""What config.json need not give, because the config class makes it."""

import copy
import json

import pytest

LAYERS = {"full_attn_layers": [2, 4], "kda_layers": [1, 3, 5]}


@pytest.fixture
def both(emitted, tmp_path, root, monkeypatch):
    """ModelArgs of a type's port, and transformers' config, of the same fields."""
    monkeypatch.syspath_prepend(root / "python")
    from portwright.workers.candidate import import_port
    from transformers import AutoConfig

    def read(kind, fields):
        port = tmp_path / f"{kind}.py"
        port.write_text(emitted(kind))
        args = import_port(port).ModelArgs.from_dict({"model_type": kind, **fields})
        return args, AutoConfig.for_model(kind, **fields)

    return read


@pytest.mark.parametrize(
    "fields",
    [
        {"num_hidden_layers": 9},
        {"num_hidden_layers": 5, "linear_attn_config": {**LAYERS, "head_dim": 24}},
        {"num_hidden_layers": 9, "linear_attn_config": {"num_heads": 6}},
        {"num_hidden_layers": 2, "layer_types": ["full_attention"] * 2},
    ],
)
def test_kinds_of_layers_out_of_an_inner_mapping(both, fields):
    args, config = both("kimi_linear", fields)
    for name in ("layer_types", "linear_head_dim", "linear_num_heads"):
        assert getattr(args, name) == getattr(config, name), name


@pytest.mark.parametrize(
    "fields",
    [
        {"num_hidden_layers": 3},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}},
        {"rope_theta": 7e4},
        {"num_hidden_layers": 2, "layer_rope_theta": [1e4, 2e4]},
    ],
)
def test_bases_of_layers_out_of_the_one_base(both, fields):
    args, config = both("granite_swa", fields)
    assert args.layer_rope_theta == config.layer_rope_theta


@pytest.mark.parametrize("rope", [{"partial_rotary_factor": 0.25}, {}])
def test_one_pair_of_angles_for_all_is_refused_in_words(both, rope):
    """torch broadcasts the angles of one pair over those that lie side by side."""
    linear = {"rope_type": "linear", "factor": 4.0}
    for scaling in ({**linear, **rope}, {"rope_type": "default", **rope}):
        fields = {"qk_rope_head_dim": 8, "rope_scaling": scaling}
        if rope and scaling["rope_type"] == "linear":
            with pytest.raises(ValueError, match="linear with partial_rotary_factor"):
                both("deepseek_v3", fields)
        else:
            both("deepseek_v3", fields)


@pytest.mark.parametrize("kind", ["default", "linear"])
def test_one_pair_of_angles_is_refused_where_the_part_is_read_too(both, kind):
    rope = {"rope_type": kind, "rope_theta": 1e4, "factor": 4.0}
    for part in (None, 1.0):
        given = {**rope, "partial_rotary_factor": part} if part else rope
        both("glm4_moe_lite", {"qk_rope_head_dim": 8, "rope_parameters": given})
    with pytest.raises(ValueError, match="partial_rotary_factor is not supported"):
        given = {**rope, "partial_rotary_factor": 0.25}
        both("glm4_moe_lite", {"qk_rope_head_dim": 8, "rope_parameters": given})


def test_a_part_that_the_config_class_computes_is_not_read(
    emitted, checkpoint, tmp_path, root, monkeypatch
):
    """Whatever part of a head is given there, transformers turns the one that follows
    from the sizes of the heads."""
    monkeypatch.syspath_prepend(root / "python")
    from portwright.workers.candidate import import_port
    from transformers import AutoConfig

    port = tmp_path / "dots3_note_text.py"
    port.write_text(emitted("dots3_note_text"))
    module = import_port(port)
    fields = json.loads((checkpoint("dots3_note_text") / "config.json").read_text())

    def turned(part):
        for rope in fields["rope_parameters"].values():
            rope.update({"partial_rotary_factor": part} if part else {})
        config = AutoConfig.for_model(**copy.deepcopy(fields))
        model = module.Model(module.ModelArgs.from_dict(copy.deepcopy(fields)))
        dims = [layer.self_attn.rope.dims for layer in model.layers]
        for kind, dim in zip(config.layer_types, dims, strict=True):
            part = config.rope_parameters[kind]["partial_rotary_factor"]
            head = config.per_layer_config[kind].head_dim
            assert dim == round(head * part)
        return dims

    assert turned(None) == turned(0.125) == turned(1.0)
