"""Each check beyond the runs themselves finds the bug that only it can find."""

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
