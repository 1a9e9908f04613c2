"""Windows that no usual prompt passes: another config, with the same weights, has a
short one."""

import re

import pytest

from .conftest import check_of

# id: (type, config, what is replaced, status, what the check says)
WINDOWS = {
    "off-in-a-sound-port": ("qwen3_moe", {}, None, "pass", "use_sliding_window = true"),
    "off-and-ignored-by-prompts": (
        "qwen3_moe",
        {},
        (r"window_size=self\.sliding_window", "window_size=None"),
        "warn",
        "sliding_window = 8.*a prompt past the window differ",
    ),
    "long-in-a-sound-port": (
        "mistral",
        {"sliding_window": 4096},
        None,
        "pass",
        "sliding_window = 8",
    ),
    "long-and-off-by-one-in-the-cache": (
        "mistral",
        {"sliding_window": 4096},
        (r"max_size=self\.args\.sliding_window", r"\g<0> - 1"),
        "fail",
        "sliding_window = 8: steps after a prompt past the window differ",
    ),
    "without-any": ("llama", {}, None, "skipped", "the model has no window"),
}


@pytest.mark.parametrize(
    "kind, config, edit, status, said", WINDOWS.values(), ids=WINDOWS
)
def test_windows_past_the_prompts_are_judged(
    kind, config, edit, status, said, emitted, bench, verify, tmp_path
):
    folder = tmp_path / "checkpoint"
    bench(synth=kind, folder=folder, overrides=config)
    text = emitted(kind)
    planted = re.sub(*edit, text) if edit else text
    assert (planted != text) == bool(edit)
    port = tmp_path / "port.py"
    port.write_text(planted)
    found = check_of(verify(folder, port, ["rotating_cache"]), "rotating_cache")
    assert found["status"] == status, found
    assert re.search(said, found["reason"])
