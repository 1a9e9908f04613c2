"""What goes wrong ends in a clear word, the right exit code, nothing half-written."""

import json
import os
import re
import signal
import time

import pytest

from .conftest import answer


@pytest.fixture
def damaged_source(transformers, tmp_path):
    """A transformers of links whose models/llama/modeling_llama.py is edited."""

    def make(edit):
        home = tmp_path / "lib" / "transformers"
        (home / "models" / "llama").mkdir(parents=True)
        inner = {"models": home / "models", "llama": home / "models" / "llama"}
        for source, folder in (
            (transformers, home),
            (transformers / "models", inner["models"]),
            (transformers / "models" / "llama", inner["llama"]),
        ):
            for entry in source.iterdir():
                if entry.name not in inner or not entry.is_dir():
                    (folder / entry.name).symlink_to(entry)
        file = inner["llama"] / "modeling_llama.py"
        text = file.read_text()
        file.unlink()
        file.write_text(edit(text))
        return home, file

    return make


@pytest.fixture
def compile_fast(portwright, tmp_path):
    """(the finished `compile --fast --json`, the folder of its file)"""

    def run(model, *options):
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        done = portwright(
            "compile", model, "-o", out / "port.py", "--fast", "--json", *options
        )
        return done, out

    return run


def with_config(folder, **fields):
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **fields}
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return folder


# The source.


def test_truncated_source(damaged_source, checkpoint, compile_fast):
    cut = len("class LlamaMLP(nn.Module):\n    def __init__(")
    home, file = damaged_source(lambda s: s[: s.index("class LlamaMLP") + cut])
    line = file.read_text().count("\n") + 1
    done, out = compile_fast(checkpoint("llama"), "--transformers", home)
    assert done.returncode == 3
    (hole,) = answer(done)["holes"]
    assert hole["kind"] == "syntax-error"
    assert hole["file"] == str(file)
    assert hole["line"] == line
    assert f"{file}:{line}:" in done.stderr
    assert re.search(r"^ +\| +\^", done.stderr, re.M)
    assert not list(out.iterdir())


def test_a_model_without_a_cache(checkpoint, compile_fast):
    done, _ = compile_fast(checkpoint("reformer"))
    assert done.returncode == 3
    (hole,) = answer(done)["holes"]
    assert "keeps no keys and values in a cache" in hole["message"]


def test_unknown_torch_function(damaged_source, checkpoint, compile_fast):
    home, file = damaged_source(
        lambda s: s.replace("self.down_proj(self.act_fn", "torch.fancy(self.act_fn")
    )
    lines = file.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "torch.fancy" in text)
    done, out = compile_fast(checkpoint("llama"), "--transformers", home)
    assert done.returncode == 3
    (hole,) = answer(done)["holes"]
    assert (hole["file"], hole["line"]) == (str(file), line)
    assert hole["construct"] == "torch.fancy"
    assert "'torch.fancy' is not known" in hole["message"]
    assert f"{file}:{line}:" in done.stderr
    assert "^^^^^^^^^^^" in done.stderr
    assert not list(out.iterdir())


# The config.


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "config.json is no JSON object"),
        ('{"model_type": "llama"', "config.json is no JSON object"),
        ("[1]", "config.json is no JSON object"),
        ("{}", "Should have a `model_type` key in its config.json"),
        ('{"model_type": "nosuch"}', "has model type `nosuch`"),
    ],
    ids=["empty", "truncated", "list", "no-model-type", "unknown-model-type"],
)
def test_config_that_is_none(text, says, tmp_path, compile_fast):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(text)
    done, out = compile_fast(folder)
    assert done.returncode == 3
    assert says in done.stderr
    assert says in answer(done)["holes"][0]["message"]
    assert not list(out.iterdir())


def test_no_config(tmp_path, compile_fast):
    (tmp_path / "model").mkdir()
    done, out = compile_fast(tmp_path / "model")
    assert done.returncode == 4
    assert "has no config.json" in answer(done)["error"]["message"]
    assert not list(out.iterdir())


@pytest.mark.parametrize(
    "field", ["num_attention_heads", "num_hidden_layers", "rms_norm_eps"]
)
def test_text_where_a_number_belongs(field, copied, compile_fast):
    folder = with_config(copied("llama"), **{field: "six"})
    done, out = compile_fast(folder)
    assert done.returncode == 3
    assert f"'{field}'" in answer(done)["holes"][0]["message"]
    assert "expected" in done.stderr and "got str" in done.stderr
    assert not list(out.iterdir())


def test_missing_keys_do_not_pass_unseen(copied, portwright, tmp_path):
    """The class's default stands in; the weights then tell that it is wrong."""
    folder = with_config(copied("llama"), intermediate_size=None)
    done = portwright("compile", folder, "-o", tmp_path / "x.py", "--json")
    assert done.returncode == 1
    assert answer(done)["proof"]["worker"]["verdict"] == "fail"
    assert re.search(r"mlp\.\w+_proj", done.stderr)


# The weights.


def test_a_nan_weight_fails_by_name(copied, portwright, tmp_path):
    import numpy as np
    from safetensors.numpy import load_file, save_file

    folder = copied("llama")
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    weights[name] = weights[name].copy()
    weights[name][3, 4] = np.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    done = portwright("port", folder, "-o", tmp_path / "out", "--quick", "--json")
    assert done.returncode == 1
    assert answer(done)["verdict"] == "fail"
    assert name in done.stderr


def test_truncated_safetensors(copied, portwright, tmp_path):
    folder = copied("llama")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    done = portwright("port", folder, "-o", tmp_path / "out", "--quick", "--json")
    assert done.returncode in (1, 3, 4)
    assert "truncated" in done.stderr


# The world.


def test_a_place_that_cannot_be_written(checkpoint, portwright, tmp_path):
    (tmp_path / "file").write_text("")
    model = checkpoint("llama")
    for arguments in (
        ["compile", model, "-o", tmp_path / "file" / "x.py", "--fast"],
        ["port", model, "-o", tmp_path / "file" / "x"],
        ["compile", model, "-o", "/proc/x.py", "--fast"],
        ["port", model, "-o", "/proc/x"],
    ):
        done = portwright(*arguments, "--json")
        assert done.returncode == 4, arguments
        message = answer(done)["error"]["message"]
        assert message.startswith(("cannot make", "cannot write")), message
        assert os.fspath(tmp_path / "file") in message or "/proc/x" in message
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("model", ["nosuchtype", "nobody/nothing"])
@pytest.mark.parametrize("verb", ["compile", "port"])
def test_a_model_that_is_not_here(verb, model, portwright, tmp_path):
    done = portwright(verb, model, "-o", tmp_path / "out", "--json")
    assert done.returncode == 4
    error = answer(done)["error"]
    assert model in error["message"]
    assert "Traceback" not in done.stderr
    assert "local director" in error["hint"]
    assert not list(tmp_path.iterdir())


def test_a_reference_python_that_dies(checkpoint, portwright, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no torch here >&2\nexit 7\n")
    python.chmod(0o755)
    out = tmp_path / "out"
    done = portwright(
        "port",
        checkpoint("llama"),
        "-o",
        out,
        "--reference-python",
        python,
        "--json",
    )
    assert done.returncode == 4
    assert "reference worker" in answer(done)["error"]["message"]
    assert "no torch here" in done.stderr
    assert not out.exists()


def children(pid):
    listed = []
    for status in map("/proc/{}/stat".format, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open(status) as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            listed.append(int(status.split("/")[2]))
    return listed


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    return found


def test_a_killed_worker(checkpoint, start, tmp_path):
    out = tmp_path / "out"
    process = start("port", checkpoint("llama"), "-o", out, "--json")
    wait_for(lambda: (out / "llama.py").exists())
    os.kill(max(children(process.pid)), signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=100)
    assert process.returncode == 4, stderr
    assert "worker died" in json.loads(stdout)["error"]["message"]
    assert not out.exists()


@pytest.mark.parametrize("moment", ["start", "proof"])
def test_an_interrupt_leaves_nothing(moment, checkpoint, start, tmp_path):
    out = tmp_path / "out"
    process = start("port", checkpoint("llama"), "-o", out)
    workers = wait_for(lambda: children(process.pid))
    if moment == "proof":
        wait_for(lambda: (out / "llama.py").exists())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not out.exists()
    wait_for(lambda: not any(os.path.exists(f"/proc/{w}") for w in workers))


# Usage.


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["compile"], "model is required"),
        (["port", "llama"], "-o is required"),
        (["port", "llama", "-o", "x", "--bogus"], "--bogus"),
        (["port", "llama", "-o", "x", "--quick", "--full"], "--quick"),
        (["translate", "llama"], "translate"),
    ],
)
def test_usage(arguments, says, portwright, tmp_path):
    done = portwright(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "--help" in done.stderr
    assert not list(tmp_path.iterdir())
