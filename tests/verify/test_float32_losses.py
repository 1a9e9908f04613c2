"""A router whose scores lose float32 shows where they are nearly equal."""

import re

import pytest

from .conftest import check_of

# id: (type, what is replaced, what it is given, layer, module)
LOST = {
    "scores-that-experts-are-chosen-by": (
        "mixtral",
        (r"(self\.gate\(x\))\.astype\(mx\.float32\)", r"\1"),
        "scores that are nearly equal",
        (0, "mlp"),
    ),
    "scores-rounded-by-the-softmax": (
        "qwen3_moe",
        (
            r"softmax\((.*)\.astype\(mx\.float32\), axis=-1",
            r"softmax(\1, axis=-1, precise=True",
        ),
        "scores that are nearly equal",
        (0, "mlp"),
    ),
}


@pytest.mark.parametrize("kind, edit, what, place", LOST.values(), ids=LOST)
def test_a_loss_of_float32_is_found(
    kind, edit, what, place, emitted, checkpoint, verify, tmp_path
):
    text = emitted(kind)
    lost = re.sub(*edit, text)
    assert lost != text
    port = tmp_path / "port.py"
    port.write_text(lost)
    found = check_of(verify(checkpoint(kind), port, ["bfloat16"]), "bfloat16")
    assert found["status"] == "warn" and what in found["reason"], found
    assert (found["place"]["layer"], found["place"]["module"]) == place


@pytest.mark.parametrize("kind", ["mixtral", "qwen3_moe", "jamba"])
def test_sound_ports_round_as_torch_does(kind, emitted, checkpoint, verify, tmp_path):
    port = tmp_path / "port.py"
    port.write_text(emitted(kind))
    found = check_of(verify(checkpoint(kind), port, ["bfloat16"]), "bfloat16")
    assert found["status"] == "pass", found
