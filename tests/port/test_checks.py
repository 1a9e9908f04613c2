"""Each check beyond the runs themselves finds the bug that only it can find."""

import json
import re

import pytest
from verify.conftest import check_of

# type, what is replaced, the check that must see it, its status, its words
ONLY_FOUND_BY = {
    "an eps of the checkpoint at hand": (
        "llama",
        [(r"eps=args\.rms_norm_eps", "eps=0.0022")],
        "config",
        "warn",
        "ignores rms_norm_eps",
    ),
    "only the nested form of rope": (
        "llama",
        [(r'rope\.get\("rope_theta", self\.rope_theta\)', 'rope["rope_theta"]')],
        "config",
        "warn",
        "with flat rope fields the port raises KeyError",
    ),
    "half of the flat form of rope": (
        "llama",
        [
            (
                r'rope\.get\("rope_theta", self\.rope_theta\)',
                'rope.get("rope_theta", 1e4)',
            )
        ],
        "config",
        "fail",
        "with flat rope fields",
    ),
    "a cache that remembers elsewhere": (
        "llama",
        [
            (r"offset=cache\.offset", 'offset=getattr(cache, "seen", 0)'),
            (
                r"( +)(keys, values = cache\.update_and_fetch\(keys, values\))",
                r'\1cache.seen = getattr(cache, "seen", 0) + L\n\1\2',
            ),
        ],
        "prompt_cache",
        "fail",
        "saved and loaded",
    ),
    "a matrix product past its module": (
        "llama",
        [
            (
                r"self\.down_proj\(swiglu\((.*)\)\)",
                r"swiglu(\1) @ self.down_proj.weight.T",
            )
        ],
        "quantized",
        "fail",
        "raised",
    ),
    "a gradient that stops": (
        "llama",
        [
            (
                r"return self\.o_proj\((.*)\)\n",
                r"return mx.stop_gradient(self.o_proj(\1))\n",
            )
        ],
        "lora",
        "warn",
        "no gradient reaches",
    ),
    "positions that end": (
        "llama",
        [(r"offset=cache\.offset", "offset=min(cache.offset, 1024)")],
        "long_context",
        "fail",
        "2048 tokens",
    ),
}

NAMED_BY = {
    "mask": (
        "mistral",
        [(r"window_size=self\.sliding_window", "window_size=self.sliding_window + 1")],
        r"in layer 0 position \d+ of the port depends on token \d+ \(\d+ back\)",
    ),
    "routing": (
        "mixtral",
        [(r"argpartition\(-", "argpartition(")],
        r"\d+ of \d+ tokens go to other experts",
    ),
}


@pytest.mark.parametrize("bug", ONLY_FOUND_BY)
def test_only_this_check_finds_it(bug, checkpoint, plant, bench):
    kind, edits, check, status, words = ONLY_FOUND_BY[bug]
    checks = ["logits", "decode", check]
    results = bench(checkpoint=checkpoint(kind), port=plant(kind, edits), checks=checks)
    for other in ("logits", "decode"):
        assert check_of(results, other)["status"] == "pass"
    found = check_of(results, check)
    assert found["status"] == status, found
    assert words in found["reason"], found


@pytest.mark.parametrize("check", NAMED_BY)
def test_check_names_it(check, checkpoint, plant, bench):
    kind, edits, words = NAMED_BY[check]
    port = plant(kind, edits)
    results = bench(checkpoint=checkpoint(kind), port=port, checks=[check])
    found = check_of(results, check)
    assert found["status"] == "fail", found
    assert re.search(words, found["reason"]), found
    assert found["place"]["layer"] == 0


def test_a_predicate_of_its_own_is_sound(checkpoint, plant, bench):
    """Bits by module, and groups that do not fit the rows of a tiny model."""
    predicate = (
        "    @property\n"
        "    def quant_predicate(self):\n"
        "        def predicate(path, _):\n"
        '            group = 64 if "mlp" in path else 32\n'
        '            return {"group_size": group, "bits": 8}\n\n'
        "        return predicate\n\n"
        r"    @property\n    def layers(self):"
    )
    port = plant("llama", [(r"    @property\n    def layers\(self\):", predicate)])
    results = bench(checkpoint=checkpoint("llama"), port=port, checks=["quantized"])
    assert check_of(results, "quantized")["status"] == "pass", results


def test_bfloat16_that_is_less_exact_than_torchs(checkpoint, plant, bench):
    """Bits that a large addend takes away, right in float32."""
    edits = [
        (r"return self\.down_proj\((.*)\)\n", r"return self.down_proj(\1) + 8 - 8\n")
    ]
    port = plant("llama", edits)
    checks = ["logits", "bfloat16"]
    results = bench(checkpoint=checkpoint("llama"), port=port, checks=checks)
    assert check_of(results, "logits")["status"] != "fail"
    found = check_of(results, "bfloat16")
    assert found["status"] in ("warn", "fail"), found
    assert "a conversion to float32 is lacking" in found["reason"]
    assert "mlp" in found["place"]["module"], found["place"]


def test_what_is_given_is_told_from_what_takes_it(checkpoint, plant, bench):
    """The mask's own line, not the attention's that it is given to."""
    port = plant("llama", [(r"create_attention_mask\(h, cache\[0\]\)", "None")])
    results = bench(checkpoint=checkpoint("llama"), port=port, checks=["logits"])
    place = check_of(results, "logits")["place"]
    assert (place["layer"], place["tensor"]) == (0, "mask"), place
    line = port.read_text().splitlines()[place["port_line"] - 1]
    assert "mask" in line and "None" in line, line


def test_what_raises_is_named(checkpoint, plant, bench):
    port = plant("llama", [(r"self\.down_proj\(swiglu", "self.gone(swiglu")])
    results = bench(checkpoint=checkpoint("llama"), port=port, checks=["logits"])
    place = check_of(results, "logits")["place"]
    assert "self.gone" in port.read_text().splitlines()[place["port_line"] - 1]


TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>OPEN{% endif %}"
)
THINKING = {
    "switched on": ("{% if enable_thinking %}<think>{% endif %}", "pass"),
    # mlx_lm switches off what it finds no tokens for.
    "on unless switched off": (
        "{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}",
        "fail",
    ),
    "closed without tokens": (
        "{% if enable_thinking %}<think></think>{% endif %}",
        "warn",
    ),
}


@pytest.mark.parametrize("thinking", THINKING)
def test_chat(thinking, copied, bench):
    folder = copied("llama")
    file = folder / "tokenizer_config.json"
    opening, status = THINKING[thinking]
    config = json.loads(file.read_text())
    config["chat_template"] = TEMPLATE.replace("OPEN", opening)
    file.write_text(json.dumps(config))
    found = check_of(bench(checkpoint=folder, checks=["chat"]), "chat")
    assert found["status"] == status, found


def test_without_a_template_nothing_is_said_about_chat(checkpoint, bench):
    results = bench(checkpoint=checkpoint("llama"), checks=["chat"])
    assert check_of(results, "chat")["status"] == "skipped"


def test_sharded_over_two_processes(bench, tmp_path):
    """mlx_lm's own llama, which can be sharded."""
    folder = tmp_path / "checkpoint"
    bench(synth="llama", folder=folder, flat_rope=True)
    found = check_of(bench(checkpoint=folder, checks=["sharded"]), "sharded")
    assert found["status"] == "pass", found


def test_speed_beside_the_hand_written_port(bench, plant, tmp_path):
    folder = tmp_path / "checkpoint"
    bench(synth="llama", folder=folder, flat_rope=True)
    slow = [(r"        h = self\.embed_tokens\(inputs\)", SLOW)]
    for edits, status in (([], "pass"), (slow, "warn")):
        port = plant("llama", edits)
        results = bench(checkpoint=folder, port=port, checks=["speed"])
        found = check_of(results, "speed")
        assert found["status"] == status, found
        assert "MB at most" in found["reason"]


SLOW = r"        __import__('time').sleep(0.5)\n        h = self.embed_tokens(inputs)"
