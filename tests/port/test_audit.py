"""Hand-written models against transformers: found, named, kept; causes confirmed."""

import importlib.util
import json
from pathlib import Path

from verify.conftest import check_of

from .conftest import answer

# Each names a file of mlx-lm, the check that it fails, the cause, and the lines
# that repair it.
FIXES = json.loads((Path(__file__).parent / "testdata/audit_fixes.json").read_text())
SAMPLE = ("gemma", "jamba", "mistral")


def test_audit(portwright, tmp_path):
    arguments = ("audit", "llama", "gemma", "nosuch", "-o", tmp_path, "--json")
    done = portwright(*arguments, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    rows = {(r["type"], r["form"]): r for r in answer(done)["rows"]}
    assert rows["llama", "v4"]["status"] == "match"
    # Its file has the exact gelu where the config asks for the tanh form.
    assert rows["gemma", "v4"]["status"] == "differs"
    assert rows["gemma", "v4"]["place"].startswith("layer 0, mlp")
    assert rows["nosuch", "v5"]["status"] == "no counterpart"
    assert "| gemma | v4 | differs |" in (tmp_path / "audit.md").read_text()
    written = json.loads((tmp_path / "audit.json").read_text())
    again = portwright(*arguments, "--resume")
    assert answer(again) == written


def test_older_checkpoints_have_more_fields(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "python")
    from portwright.workers import hub_form

    config = {"hidden_size": 96, "num_attention_heads": 6, "num_local_experts": 8}
    config["rope_parameters"] = {"rope_theta": 1e6}
    added = hub_form.fields(
        config,
        {"num_experts": "num_local_experts", "gone": "nowhere"},
        {"theta": "=rope_parameters.rope_theta", "inner": "=hidden_size*head_dim"},
    )
    assert added == {"num_experts": 8, "head_dim": 16, "theta": 1e6, "inner": 96 * 16}
    assert "head_dim" not in hub_form.fields(config, {"head_dim": "rope_dim"}, {})


def pytest_generate_tests(metafunc):
    if "fix" in metafunc.fixturenames:
        every = metafunc.config.getoption("--all-types")
        fixes = [f for f in FIXES if every or f["type"] in SAMPLE]
        metafunc.parametrize(
            "fix", fixes, ids=[f"{f['type']}-{f['form']}" for f in fixes]
        )


def test_named_line_is_the_cause(fix, bench, tmp_path):
    """The check that fails turns green when the line is repaired in a copy."""
    package = Path(importlib.util.find_spec("mlx_lm").origin).parent
    file = package / "models" / fix["file"]
    text = file.read_text()
    for old, new in fix["replacements"]:
        assert old in text, f"{fix['file']} no longer has {old}"
        text = text.replace(old, new)
    repaired = tmp_path / fix["file"]
    repaired.write_text(text)
    old_form = fix["form"] == "v4"
    checkpoint = tmp_path / "checkpoint"
    bench(synth=fix["type"], folder=checkpoint, flat_rope=old_form, hub_form=old_form)
    checks = ["logits", fix["check"]]
    for port, status in ((file, "fail"), (repaired, "pass")):
        results = bench(checkpoint=checkpoint, port=port, checks=checks)
        found = check_of(results, fix["check"])
        assert found["status"] == status, found
