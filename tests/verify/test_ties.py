"""Experts that tie within the noise of float32 are nobody's fault."""

import json

import pytest

from .conftest import check_of

PLACE = 5


def first_prompt(folder):
    """What the battery asks first."""
    vocab = json.loads((folder / "config.json").read_text())["vocab_size"]
    return [(37 * i + 11) % (vocab - 32) for i in range(27)]


@pytest.fixture
def workers(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "python")


@pytest.fixture
def tie(copied, workers):
    """A checkpoint in which one token of the first prompt may go to either of two
    experts."""
    from portwright.workers.reference import Reference
    from safetensors.torch import load_file, save_file

    folder = copied("mixtral")
    file = folder / "model.safetensors"
    name = "model.layers.0.block_sparse_moe.gate.weight"
    weights = load_file(file)
    router = weights[name]
    seen, _ = Reference(folder).forward([first_prompt(folder)], None, ".*mlp.*")
    given = seen["in:model.layers.0.mlp"].reshape(-1, router.shape[-1])[PLACE].double()
    order = (router.double() @ given).argsort(descending=True)
    last, next_ = order[1], order[2]  # two experts a token
    gap = (router[last] - router[next_]).double() @ given
    router[next_] += (gap * given / given.square().sum()).to(router.dtype)
    save_file({k: v.contiguous() for k, v in weights.items()}, file, {"format": "pt"})
    return folder


def test_the_reference_itself_tells_a_tie(tie):
    from portwright.workers import ties
    from portwright.workers.reference import Reference

    reference = Reference(tie)
    prompt = first_prompt(tie)
    assert PLACE in ties.tied(reference, prompt)
    assert ties.tied(reference, [token + 1 for token in prompt]) == []


def test_a_tie_is_no_difference(tie, verify, portwright, tmp_path):
    port = tmp_path / "port.py"
    assert portwright("compile", tie, "-o", port, "--fast").returncode == 0
    found = verify(tie, port, ["logits", "decode", "routing", "chunked_prefill"])
    assert {c["status"] for c in found["checks"]} == {"pass"}, found
    routers = check_of(found, "routing")["figures"]["routing"]
    assert all(r["differing"] == 0 == r["ties"] for r in routers)


def test_ties_of_bfloat16_are_told_apart(tie, verify, portwright, tmp_path):
    port = tmp_path / "port.py"
    assert portwright("compile", tie, "-o", port, "--fast").returncode == 0
    found = check_of(verify(tie, port, ["bfloat16"]), "bfloat16")
    assert found["status"] == "pass", found
    routers = found["figures"]["routing"]
    assert [r["tokens"] for r in routers] == [27] * 3
    assert all(r["differing"] == 0 and r["ties"] < 9 for r in routers), routers
