"""`sweep`: every decoder-only model, ported and proven or refused.

`./test --all-types port` takes all of them and runs them in mlx_lm;
PORTWRIGHT_REGENERATE=1 with it writes down anew what each one came to. Without it a
few are proven in process."""

import json
import os
import random
from pathlib import Path

import pytest

STATUS = Path(__file__).parent / "statuses.json"
KNOWN = json.loads(STATUS.read_text())
SAMPLE = 8
# What few others have: values handed from layer to layer, rope by layer, choices
# by the layer's index, norms by head, shared keys, shared blocks, fields of single
# layers, stacks run in turns, no cache of its own, steps written as a loop, an
# activation named inside a set of an inner config, and a base of rope by layer.
ALWAYS = {
    "beam",
    "dbrx",
    "gemma3n_text",
    "gemma4_text",
    "glm_moe_dsa",
    "granite_swa",
    "hrm_text",
    "modernbert-decoder",
    "openai-gpt",
    "recurrent_gemma",
    "stablelm",
    "zamba2",
    "zaya",
}


@pytest.fixture(scope="module")
def table(portwright, tmp_path_factory, request):
    """The sweep's table of all types, or of some that a fixed seed picks."""
    types = sorted(KNOWN)
    if not request.config.getoption("--all-types"):
        proven = [name for name in types if KNOWN[name] == "proven"]
        types = ["--fast", *ALWAYS.union(random.Random(7).sample(proven, SAMPLE))]
    folder = tmp_path_factory.mktemp("sweep")
    done = portwright("sweep", *types, "-o", folder, timeout=3600)
    assert done.returncode in (0, 1, 3), done.stderr
    return json.loads((folder / "sweep.json").read_text())["types"]


def test_each_comes_to_what_is_known(table, request):
    found = {name: row["status"] for name, row in table.items()}
    if not request.config.getoption("--all-types"):
        found = {n: {"ported": "proven"}.get(s, s) for n, s in found.items()}
    if os.environ.get("PORTWRIGHT_REGENERATE") == "1" and len(found) == len(KNOWN):
        STATUS.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
        return
    assert found == {name: KNOWN[name] for name in found}


def test_a_refusal_names_its_construct(table):
    for name, row in table.items():
        if row["status"] == "refused":
            assert row["reason"] or row["holes"], name


def test_a_list_of_as_many_modules_as_heads_is_served(table):
    assert not any("qk_layernorm" in guard for guard in table["stablelm"]["guards"])


def test_a_name_inside_a_set_of_the_config_is_not_ignored(table):
    assert any("ffn_config.ffn_act_fn.name" in g for g in table["dbrx"]["guards"])


def test_a_rope_is_of_one_type_wherever_its_base_comes_from(table):
    guards = table["granite_swa"]["guards"]
    assert any(g.startswith("rope types other than default,") for g in guards)


def test_guards_ask_only_what_can_be(table):
    for row in table.values():
        assert not any("layer_idx is None" in guard for guard in row["guards"])


def test_mlx_lm_has_the_last_word(portwright, tmp_path):
    """Strictly loaded, against torch; kept a type at a time, and gone on with."""
    first = portwright("sweep", "gemma2", "blt", "-o", tmp_path)
    assert first.returncode == 0, first.stderr
    kept = json.loads((tmp_path / "sweep.json").read_text())
    assert kept["summary"] == {"proven": 1, "refused": 1}
    assert {"mlx-lm", "torch"} <= set(kept["versions"])
    row = kept["types"]["gemma2"]
    for check in ("logits", "decode", "chunked_prefill", "rotating_cache", "batch"):
        assert row["checks"][check]["status"] == "pass", row
        assert row["errors"][check] < 1e-4
    for file in ("sweep.md", "sweep.html", "ports/gemma2.py", "results/gemma2.json"):
        assert (tmp_path / file).stat().st_size > 200, file
    row["reason"] = "kept"
    (tmp_path / "sweep.json").write_text(json.dumps(kept))
    again = portwright("sweep", "gemma2", "llama", "-o", tmp_path, "--resume")
    assert again.returncode == 0, again.stderr
    table = json.loads((tmp_path / "sweep.json").read_text())["types"]
    assert table["gemma2"]["reason"] == "kept"
    assert table["llama"]["status"] == "proven"
