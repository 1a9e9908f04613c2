"""Names and dtypes that checkpoints in the wild have, read as torch reads them."""

import json
import shutil

import pytest


@pytest.fixture
def rewritten(made, tmp_path):
    """A checkpoint whose tensors a function has changed, in so many files."""
    from safetensors.torch import load_file, save_file

    def rewrite(change, shards=1, model_type="llama", **overrides):
        folder = tmp_path / "checkpoint"
        shutil.copytree(made(model_type, **overrides), folder)
        tensors = load_file(folder / "model.safetensors")
        changed = change(tensors)
        tensors = changed if isinstance(changed, dict) else tensors
        (folder / "model.safetensors").unlink()
        names = sorted(tensors)
        index = {}
        for i in range(shards):
            file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
            part = {name: tensors[name].contiguous() for name in names[i::shards]}
            save_file(part, folder / file, {"format": "pt"})
            index.update(dict.fromkeys(part, file))
        (folder / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": index})
        )
        return folder

    return rewrite


def renamed(*pairs):
    def change(tensors):
        out = {}
        for name, tensor in tensors.items():
            for old, new in pairs:
                name = name.replace(old, new)
            out[name] = tensor
        return out

    return change


def fused_experts(tensors):
    """One tensor for the experts of a layer, as today's modules hold them."""
    import torch

    out = dict(tensors)
    layers = {n.split(".mlp.experts.")[0] for n in tensors if ".mlp.experts." in n}
    for layer in layers:
        start = layer + ".mlp.experts."
        count = len({n[len(start) :].split(".")[0] for n in out if n.startswith(start)})
        gates, ups, downs = (
            [out.pop(f"{start}{i}.{kind}_proj.weight") for i in range(count)]
            for kind in ("gate", "up", "down")
        )
        both = [torch.cat(pair) for pair in zip(gates, ups)]
        out[start + "gate_up_proj"] = torch.stack(both)
        out[start + "down_proj"] = torch.stack(downs)
    return out


def old_buffers(tensors):
    import torch

    for i in range(3):
        name = f"model.layers.{i}.self_attn.rotary_emb.inv_freq"
        tensors[name] = torch.ones(16)


def with_other_head(tensors):
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].flip(0)


def in_bfloat16(tensors):
    import torch

    return {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}


CASES = {
    "in one file": ("llama", {}, lambda tensors: None),
    "without the prefix": ("gpt2", {}, renamed(("transformer.", ""))),
    "of the inner model": (
        "llama",
        {"tie_word_embeddings": True},
        renamed(("model.", "")),
    ),
    "gamma and beta": (
        "bert",
        {},
        renamed(
            ("LayerNorm.weight", "LayerNorm.gamma"),
            ("LayerNorm.bias", "LayerNorm.beta"),
        ),
    ),
    "fused experts": ("qwen3_moe", {}, fused_experts),
    "buffers of old": ("llama", {}, old_buffers),
    "a head of its own": ("llama", {"tie_word_embeddings": True}, with_other_head),
    "halves": ("llama", {}, in_bfloat16),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_torch(case, rewritten, loaded, agree):
    model_type, overrides, change = CASES[case]
    folder = rewritten(change, model_type=model_type, **overrides)
    agree(loaded(folder), folder, parts=["full"])


def test_sharded(rewritten, loaded, agree):
    folder = rewritten(lambda tensors: None, shards=3)
    agree(loaded(folder), folder, parts=["full"])


def test_unused_tensors_are_reported(rewritten, portwright, tmp_path):
    folder = rewritten(
        lambda t: t.update({"model.extra.weight": t["model.norm.weight"].clone()})
    )
    done = portwright(
        "run", folder, "--ids", "1,2", "--logits", tmp_path / "x.npy", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unused"] == ["model.extra.weight"]


def test_missing_tensors_are_named(rewritten, portwright, tmp_path):
    folder = rewritten(lambda t: t.pop("model.layers.1.mlp.up_proj.weight"))
    done = portwright("run", folder, "--ids", "1,2", "--logits", tmp_path / "x.npy")
    assert done.returncode == 4
    assert "model.layers.1.mlp.up_proj.weight" in done.stderr
