"""The proof in process: passes for the goldens, finds bugs planted into them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import TYPES, planted
from .test_planted import PLANTED

GOLDENS = Path(__file__).parent / "testdata"


@pytest.fixture(scope="session")
def prove(root, transformers):
    """One proof for each config.json; all of them by one process."""

    def call(file, *configs):
        tool = root / "build" / "bin" / "candidate_tool"
        done = subprocess.run(
            [tool, "prove", sys.executable, transformers, file, *configs],
            capture_output=True,
            text=True,
        )
        proofs = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(proofs) == len(configs), done.stderr
        return proofs

    return call


@pytest.mark.parametrize("kind", TYPES)
def test_golden_is_proven(kind, checkpoint, prove):
    config = checkpoint(kind) / "config.json"
    for proof in prove(GOLDENS / f"{kind}.py", config, config):
        assert proof["verdict"] == "passed", proof["reason"]
        assert proof["worst"] < 1e-5


@pytest.mark.parametrize("name", PLANTED)
def test_planted_bug_is_found(name, checkpoint, prove, tmp_path):
    kind = name.split("-")[0]
    text = planted((GOLDENS / f"{kind}.py").read_text(), PLANTED[name][0])
    file = tmp_path / f"{kind}.py"
    file.write_text(text)
    (proof,) = prove(file, checkpoint(kind) / "config.json")
    assert proof["verdict"] == "failed"
    failing = {c["name"] for c in proof["checks"] if c["status"] == "fail"}
    lost = "cache-offset" in name
    assert ("chunks, then single steps" if lost else "prefill") in failing
    assert "model.layers.0 is the first that differs" in proof["reason"]


def test_what_a_config_says_in_other_words_is_proven_too(checkpoint, prove, tmp_path):
    config = checkpoint("llama") / "config.json"
    fields = json.loads(config.read_text())
    fields["rope_theta"] = fields.pop("rope_parameters")["rope_theta"]
    flat = tmp_path / "flat.json"
    flat.write_text(json.dumps(fields))
    golden = GOLDENS / "llama.py"
    (proof,) = prove(golden, f"{config},{flat}")
    assert proof["verdict"] == "passed", proof["reason"]
    deaf = tmp_path / "llama.py"
    reading = r'(rope.get\("rope_theta", )self.rope_theta'
    deaf.write_text(planted(golden.read_text(), [(reading, r"\g<1>10000.0")]))
    assert prove(deaf, config)[0]["verdict"] == "passed"
    (proof,) = prove(deaf, f"{config},{flat}")
    assert proof["verdict"] == "failed"
    assert "with other words: prefill and a step: differs" in proof["reason"]


def test_file_that_does_not_run_has_failed(checkpoint, prove, tmp_path):
    file = tmp_path / "llama.py"
    text = (GOLDENS / "llama.py").read_text()
    file.write_text(text.replace("self.norm(h)", "self.nrom(h)"))
    (proof,) = prove(file, checkpoint("llama") / "config.json")
    assert proof["verdict"] == "failed"
    assert "nrom" in proof["reason"] and "llama.py:" in proof["reason"]


def test_refused_config_is_told_apart(checkpoint, prove, tmp_path):
    config = json.loads((checkpoint("llama") / "config.json").read_text())
    other = tmp_path / "config.json"
    other.write_text(json.dumps({**config, "hidden_act": "gelu"}))
    first, second = prove(
        GOLDENS / "llama.py", checkpoint("llama") / "config.json", other
    )
    assert first["verdict"] == "passed"
    assert second["verdict"] == "guarded"
    assert "hidden_act gelu is not supported" in second["reason"]


def test_float32_that_leaks_is_found(checkpoint, prove, tmp_path):
    file = tmp_path / "llama.py"
    text = (GOLDENS / "llama.py").read_text()
    leak = "h = x.astype(mx.float32) + self.self_attn("
    file.write_text(text.replace("h = x + self.self_attn(", leak))
    (proof,) = prove(file, checkpoint("llama") / "config.json")
    assert proof["verdict"] == "failed"
    assert "model.layers.0 answers float32, in the source bfloat16" in proof["reason"]


def test_sanitize_must_leave_its_own_answer_as_it_is(checkpoint, prove, tmp_path):
    text = (GOLDENS / "mixtral.py").read_text()
    again = (
        "        weights = {k.replace('switch_mlp', 'mlp.switch_mlp'): v\n"
        "            for k, v in weights.items()}\n"
    )
    head = "    def sanitize(self, weights):\n"
    assert head in text
    file = tmp_path / "mixtral.py"
    file.write_text(text.replace(head, head + again))
    (proof,) = prove(file, checkpoint("mixtral") / "config.json")
    assert proof["verdict"] == "failed"
    assert "sanitize changes what it has answered before" in proof["reason"]
