"""Hand-written models against transformers: found, named, kept."""

import json

from .conftest import answer


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
