"""What goes wrong around a port ends in a clear word and the right exit code."""

import json
import os

from .conftest import check_of


def test_a_nan_weight_is_named(copied, verify):
    import numpy as np
    from safetensors.numpy import load_file, save_file

    folder = copied("llama")
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    weights[name] = weights[name].copy()
    weights[name][3, 4] = np.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    results = verify(folder, quick=True)
    found = check_of(results, "weights")
    assert (results["verdict"], found["status"]) == ("fail", "fail")
    assert f"{name} holds NaN or infinity" in found["reason"]
    assert (found["place"]["layer"], found["place"]["tensor"]) == (1, name)


def test_a_missing_tensor_is_named(copied, verify):
    from safetensors.numpy import load_file, save_file

    folder = copied("llama")
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.layers.2.self_attn.k_proj.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    results = verify(folder, quick=True)
    found = check_of(results, "weights")
    assert found["status"] == "fail"
    assert "model.layers.2.self_attn.k_proj.weight" in found["reason"]


def test_a_truncated_checkpoint_is_named(copied, verify):
    folder = copied("llama")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    results = verify(folder, quick=True)
    found = check_of(results, "weights")
    assert found["status"] == "fail"
    assert "truncated" in found["reason"]


def test_a_config_with_text_for_a_number(copied, verify):
    folder = copied("llama")
    config = json.loads((folder / "config.json").read_text())
    config["num_attention_heads"] = "six"
    (folder / "config.json").write_text(json.dumps(config))
    results = verify(folder, quick=True)
    assert results["verdict"] in ("fail", "untrusted")
    assert any("num_attention_heads" in c["reason"] for c in results["checks"])


def test_a_port_that_raises_fails_with_its_traceback(checkpoint, plant, verify):
    port = plant(
        "qwen3", (r"return self\.o_proj\(output\)", "return self.absent(output)")
    )
    results = verify(checkpoint("qwen3"), port, quick=True)
    found = check_of(results, "logits")
    assert found["status"] == "fail"
    assert "the port raised AttributeError" in found["reason"]
    assert "absent" in found["detail"]


def test_a_port_that_is_no_python(checkpoint, plant, verify):
    port = plant("qwen3", (r"class Attention", "klass Attention"))
    results = verify(checkpoint("qwen3"), port, quick=True)
    assert "SyntaxError" in check_of(results, "weights")["reason"]


def test_a_worker_that_dies_is_an_error_of_the_world(checkpoint, tmp_path, portwright):
    port = tmp_path / "dies.py"
    port.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    done = portwright(
        "verify", checkpoint("qwen3"), "--port", port, "-o", tmp_path / "o"
    )
    assert done.returncode == 4
    assert "the candidate worker died" in done.stderr


def test_a_worker_that_hangs_is_an_error_of_the_world(checkpoint, tmp_path, portwright):
    port = tmp_path / "hangs.py"
    port.write_text("while True:\n    pass\n")
    done = portwright(
        "verify",
        checkpoint("qwen3"),
        "--port",
        port,
        "-o",
        tmp_path / "o",
        "--timeout",
        20,
    )
    assert done.returncode == 4
    assert "the candidate worker did not answer in 20 s" in done.stderr


def test_a_hub_id_without_network(tmp_path, portwright):
    done = portwright("verify", "nobody/nothing", "-o", tmp_path / "o")
    assert done.returncode == 4
    assert "nobody/nothing" in done.stderr


def test_an_unknown_check_is_a_usage_error(checkpoint, tmp_path, portwright):
    done = portwright(
        "verify", checkpoint("qwen3"), "--checks", "logit", "-o", tmp_path / "o"
    )
    assert done.returncode == 2
    assert "there is no check `logit`" in done.stderr


def test_a_place_that_cannot_be_written(checkpoint, tmp_path, portwright):
    (tmp_path / "file").write_text("")
    done = portwright("verify", checkpoint("qwen3"), "-o", tmp_path / "file" / "out")
    assert done.returncode == 4
    assert os.fspath(tmp_path / "file") in done.stderr


def test_a_verdict_sets_the_exit_code(checkpoint, plant, tmp_path, portwright):
    """The whole command once: the exit code, the files, the object on stdout."""
    port = plant("qwen3", (r"self\.gate_proj\(x\), ", "0.9 * self.gate_proj(x), "))
    out = tmp_path / "out"
    done = portwright(
        "verify", checkpoint("qwen3"), "--port", port, "--quick", "--json", "-o", out
    )
    assert done.returncode == 1
    assert json.loads(done.stdout) == json.loads((out / "results.json").read_text())
    assert "layer 0, mlp" in (out / "report.md").read_text()
    assert "qwen3.py is wrong" in (out / "report.html").read_text()
