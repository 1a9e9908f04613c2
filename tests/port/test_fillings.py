"""Holes that somebody fills: the next compilation keeps what was filled in, and proves it."""

import json

import pytest

from .conftest import answer
from .test_errors import damaged_source  # noqa: F401

PLAIN = "down_proj = self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))"
HOLE = """down_proj = self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))
        down_proj = down_proj - torch.div(down_proj, 1e4, rounding_mode="trunc")"""
FILLING = """h = self.down_proj(nn.silu(self.gate_proj(x)) * self.up_proj(x))
        return h - mx.sign(h) * mx.floor(mx.abs(h) / 1e4)"""
WRONG = "return self.down_proj(nn.silu(self.gate_proj(x)))"


@pytest.fixture
def model(damaged_source, checkpoint, portwright, tmp_path):  # noqa: F811
    """llama with a division that truncates in its MLP, and a folder for its port."""
    home, file = damaged_source(lambda s: s.replace(PLAIN, HOLE))

    class Model:
        out = tmp_path / "out" / "llama.py"
        draft = out.with_suffix(".holes.py")
        notes = out.with_suffix(".holes.json")

        def compile(self, *options):
            return portwright(
                *("compile", checkpoint("llama"), "-o", self.out, "--json"),
                *("--transformers", home, *options),
            )

        def source(self, old, new):
            text = file.read_text()
            assert old in text
            file.write_text(text.replace(old, new))

        def fill(self, text):
            draft = self.draft.read_text()
            raising = [line for line in draft.splitlines() if "hole " in line]
            assert len(raising) == 1
            self.draft.write_text(draft.replace(raising[0].strip(), text))

    Model.out.parent.mkdir()
    made = Model()
    done = made.compile("--fast")
    assert done.returncode == 3, done.stderr
    made.told = answer(done)
    return made


def test_a_hole_tells_what_it_needs(model):
    (task,) = model.told["tasks"]
    assert task["class"] == "MLP" and task["used_in"] == ["DecoderLayer"]
    assert 'rounding_mode="trunc"' in task["construct"]
    assert task["source"]["text"].startswith("class LlamaMLP(nn.Module):")
    assert [given["is"] for given in task["given"]] == ["hidden states"]
    assert task["given"][0]["shape"] == task["answers"][0]["shape"]
    assert "down_proj.weight" in task["weights"]
    notes = json.loads(model.notes.read_text())
    assert notes["tasks"] == [task]
    assert "verify" in notes["check"] and notes["fill"] == model.draft.name
    # __init__ is there; what is left is the forward.
    assert "self.down_proj = nn.Linear(" in model.draft.read_text()


def test_a_filling_is_proven_and_stays(model):
    model.fill(FILLING)
    done = model.compile("--fast")
    assert done.returncode == 0, done.stderr
    told = answer(done)
    assert told["proof"]["in_process"]["verdict"] == "passed"
    assert told["fillings"]["kept"] == ["MLP"]
    assert FILLING in model.out.read_text()
    # Once more, after the source has changed elsewhere.
    model.source("variance + self.variance_epsilon", "self.variance_epsilon + variance")
    done = model.compile("--fast")
    assert done.returncode == 0, done.stderr
    assert FILLING in model.out.read_text()


def test_a_wrong_filling_is_no_port(model):
    model.fill(WRONG)
    done = model.compile("--fast")
    assert done.returncode == 1, done.stderr
    assert not model.out.exists()
    assert WRONG in model.draft.read_text()


def test_a_filling_of_something_else_is_kept_aside(model):
    model.fill(FILLING)
    assert model.compile("--fast").returncode == 0
    port = model.out.read_text()
    model.source("torch.div(down_proj, 1e4,", "torch.div(down_proj, 3e4,")
    done = model.compile("--fast")
    assert done.returncode == 3
    told = answer(done)["fillings"]
    assert told["kept"] == [] and told["outdated"][0]["name"] == "MLP"
    (aside,) = told["aside"]
    assert FILLING in open(aside).read()
    assert FILLING not in model.draft.read_text()
    assert model.out.read_text() == port


def test_an_edited_port_is_read(model):
    model.fill(FILLING)
    assert model.compile("--fast").returncode == 0
    better = FILLING.replace(
        "nn.silu(self.gate_proj(x))", "nn.silu(1.0 * self.gate_proj(x))"
    )
    model.out.write_text(model.out.read_text().replace(FILLING, better))
    done = model.compile("--fast")
    assert done.returncode == 0, done.stderr
    assert better in model.out.read_text() and better in model.draft.read_text()


def test_an_edited_port_without_holes_is_kept_aside(model):
    model.fill(FILLING)
    assert model.compile("--fast").returncode == 0
    edited = model.out.read_text() + "\n\nEDITED = True\n"
    model.out.write_text(edited)
    model.source(HOLE, PLAIN)
    done = model.compile("--fast")
    assert done.returncode == 0, done.stderr
    (aside,) = answer(done)["fillings"]["aside"]
    assert open(aside).read() == edited
    assert "EDITED" not in model.out.read_text()


def test_a_broken_filling_is_told(model):
    model.fill("return (")
    before = model.draft.read_text()
    done = model.compile("--fast")
    assert done.returncode == 3
    assert "no Python" in answer(done)["holes"][0]["message"]
    assert model.draft.read_text() == before


def test_a_draft_of_unknown_origin_is_kept_aside(model):
    model.fill(FILLING)
    model.notes.unlink()
    done = model.compile("--fast")
    assert done.returncode == 3
    (aside,) = answer(done)["fillings"]["aside"]
    assert FILLING in open(aside).read()


def test_a_filling_holds_in_mlx_lm(model):
    model.fill(FILLING)
    done = model.compile()
    assert answer(done)["fillings"]["kept"] == ["MLP"]
    assert answer(done)["proof"]["worker"] == {"by": "mlx_lm", "verdict": "pass"}
    assert done.returncode == 0, done.stderr
