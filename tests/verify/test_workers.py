"""The workers by themselves: protocol, synthesis, the ways of running a model."""

import json
import os
import subprocess
import sys
import types

import pytest

TYPES = (
    "llama qwen2 qwen3 gemma gemma2 olmo2 olmo3 granite cohere cohere2 glm4 phi3 "
    "starcoder2 gpt_neox mixtral qwen3_moe olmoe"
).split()
IDS = [(i * 37 + 11) % 256 for i in range(27)]


class Worker:
    def __init__(self, root, module):
        environment = {**os.environ, "PYTHONPATH": str(root / "python")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"portwright.workers.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def raw(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __call__(self, op, **arguments):
        answer = self.raw(json.dumps({"id": 1, "op": op, **arguments}, default=str))
        assert answer["ok"], answer["error"]["traceback_tail"]
        return answer["result"]


@pytest.fixture(scope="module")
def reference(root):
    worker = Worker(root, "reference_main")
    yield worker
    assert worker("shutdown") == "bye"
    assert worker.process.wait(30) == 0


def test_faults_are_answers(reference):
    answer = reference.raw("no json")
    assert (answer["ok"], answer["error"]["kind"]) == (False, "bad-request")
    answer = reference.raw('{"id": 5, "op": "fly"}')
    assert (answer["id"], answer["error"]["kind"]) == (5, "bad-request")
    answer = reference.raw(
        '{"id": 6, "op": "forward", "model": "x", "ids": [], "out": "y"}'
    )
    assert answer["error"]["message"] == "no model 'x' is loaded"
    answer = reference.raw('{"id": 7, "op": "synth", "what": "no_such", "folder": "z"}')
    assert answer["error"]["kind"] == "synth-failed"
    assert set(reference("ping")) >= {"torch", "transformers", "python"}


@pytest.mark.parametrize("kind", TYPES)
def test_synthesised_checkpoint_runs_and_decodes(kind, reference, tmp_path):
    import numpy as np
    from safetensors.numpy import load_file

    reference("synth", what=kind, folder=tmp_path)
    for name in (
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ):
        assert (tmp_path / name).exists()
    reference("load", model="m", folder=tmp_path)
    out = tmp_path / "run.safetensors"
    reference("forward", model="m", ids=[IDS], out=out)
    whole = load_file(out)["logits"]
    assert np.isfinite(whole).all() and whole.std() > 0.05
    reference("decode", model="m", ids=[IDS], prefill=20, out=out)
    steps = load_file(out)["logits"]
    assert steps.shape == (1, len(IDS) - 20 + 1, whole.shape[-1])
    # A prompt cut here or there ends in the same logits at the cut.
    assert np.abs(steps[0, 0] - whole[0, 19]).max() / np.abs(whole).max() < 1e-5
    reference("unload", model="m")


def test_first_states_that_only_a_cache_makes_in_bfloat16(reference, tmp_path):
    from safetensors.numpy import load_file

    reference("synth", what="xlstm", folder=tmp_path)
    reference("load", model="m", folder=tmp_path)
    out = tmp_path / "run.safetensors"
    reference("low_precision", model="m", folder=tmp_path, ids=[IDS], out=out)
    assert "low:backbone" in load_file(out)
    reference("unload", model="m")


def test_rows_that_decoding_mixes_are_decoded_alone(reference, tmp_path):
    import numpy as np
    from safetensors.numpy import load_file

    reference("synth", what="rwkv", folder=tmp_path)
    reference("load", model="m", folder=tmp_path)
    out = tmp_path / "run.safetensors"
    rows = [IDS, IDS[::-1]]
    reference("decode", model="m", ids=rows, prefill=20, out=out)
    together = load_file(out)["logits"]
    reference("decode", model="m", ids=rows[1:], prefill=20, out=out)
    assert np.abs(together[1:] - load_file(out)["logits"]).max() < 1e-5
    reference("unload", model="m")


def test_sizes_are_told_apart_and_nothing_is_neutral(reference, tmp_path):
    from safetensors.numpy import load_file

    reference("synth", what="qwen2", folder=tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    sizes = [
        config["hidden_size"],
        config["intermediate_size"],
        config["vocab_size"],
        config["num_attention_heads"],
        config["num_key_value_heads"],
    ]
    assert len(set(sizes)) == len(sizes)
    assert config["num_key_value_heads"] < config["num_attention_heads"]
    for name, weight in load_file(tmp_path / "model.safetensors").items():
        assert weight.std() > 0.01, name


def test_the_same_words_give_the_same_bytes(root, reference, tmp_path):
    reference("synth", what="qwen3", folder=tmp_path / "a")
    command = [sys.executable, "-m", "portwright.workers.synth", "qwen3"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(root / "python"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    subprocess.run([*command, tmp_path / "b"], check=True, env=environment)
    for file in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (tmp_path / "a" / file).read_bytes() == (
            tmp_path / "b" / file
        ).read_bytes()


def test_answers_hold_no_number_that_json_lacks(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "python")
    from portwright.workers import protocol

    config = {"limits": [0.0, float("inf")], "name": "x", "deep": {"n": float("nan")}}
    sent = protocol.answer({"config": lambda: config}, '{"op": "config"}')
    assert protocol.encoded(sent) == (
        '{"id": null, "ok": true, "result": '
        '{"limits": [0.0, null], "name": "x", "deep": {"n": null}}}'
    )


def test_a_config_with_another_vocabulary_computes_otherwise(root):
    sys.path.insert(0, str(root / "python"))
    torch = pytest.importorskip("torch")
    from portwright.workers.config_forms import ConfigForms

    forms = object.__new__(ConfigForms)
    forms.torch = torch
    forms._logits = lambda form, ids: torch.ones(1, 2, 4)
    out = []
    assert forms._tried(out, torch.ones(1, 2, 8), "rows", 4, {}, [[1, 2]])
    assert out[0]["logits"].shape[-1] == 4
    assert not forms._tried(out, torch.ones(1, 2, 4), "other", 5, {}, [[1, 2]])


def test_forms_that_change_nothing_in_torch_are_forms_too(reference, tmp_path):
    """A port that takes what torch does not would be known by no other form."""
    from safetensors.numpy import load_file

    reference("synth", what="llama", folder=tmp_path)
    reference("load", model="m", folder=tmp_path)
    out = tmp_path / "forms.safetensors"
    forms = reference("config_forms", model="m", folder=tmp_path, ids=[IDS], out=out)
    logits = load_file(out)
    still = {
        form["field"]
        for i, form in enumerate(forms["altered"])
        if (logits[f"logits/{i}"] == logits["logits"]).all()
    }
    assert "rope_parameters.partial_rotary_factor" in still
    assert "initializer_range" in still
    assert "rms_norm_eps" not in still
    reference("unload", model="m")


def test_a_port_computes_in_the_dtypes_that_torch_keeps(root, reference, tmp_path):
    import numpy as np
    from safetensors.numpy import load_file

    reference("synth", what="llama", folder=tmp_path)
    assert reference("load", model="m", folder=tmp_path)["kept"] == {}
    reference("unload", model="m")
    candidate = Worker(root, "candidate_main")
    candidate("load", model="m", checkpoint=tmp_path)
    out = tmp_path / "run.safetensors"
    logits = []
    for kept in ({}, {"model.norm.weight": "bfloat16", "of.no.port": "bfloat16"}):
        candidate("keep", model="m", dtypes=kept)
        candidate("forward", model="m", ids=[IDS], out=out)
        logits.append(load_file(out)["logits"])
    assert 1e-4 < np.abs(logits[1] - logits[0]).max() / np.abs(logits[0]).max() < 1e-1
    assert candidate("shutdown") == "bye"


@pytest.mark.parametrize(
    ("version", "keyword"),
    [("4.55.4", "torch_dtype"), ("4.56.0", "dtype"), ("5.0.0.dev1", "dtype")],
)
def test_the_keyword_of_a_dtype_is_the_library_s(root, monkeypatch, version, keyword):
    monkeypatch.syspath_prepend(root / "python")
    from portwright.workers.offline import dtype_option

    monkeypatch.setitem(
        sys.modules, "transformers", types.SimpleNamespace(__version__=version)
    )
    assert dtype_option("float32") == {keyword: "float32"}
