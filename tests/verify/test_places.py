"""The lines of the port and of transformers' source that a verdict names are those that
are wrong: kinds of check that find a place each in their own way."""

import json
import re
from pathlib import Path

import pytest

from .conftest import check_of


@pytest.fixture(scope="module")
def mapped(portwright, checkpoint, tmp_path_factory):
    """An emitted port of a type, with the map of its lines beside it."""
    made = {}

    def make(kind):
        if kind not in made:
            port = tmp_path_factory.mktemp(kind) / "port.py"
            done = portwright("compile", kind, "-o", port, "--fast", "--map")
            assert done.returncode == 0, done.stderr
            made[kind] = port
        return made[kind]

    return make


def line_of(file, number):
    return Path(file).read_text().splitlines()[number - 1].strip()


# id: (type, what is replaced within a line, check, tensor, the port's line, the
# source's file and line)
PLACES = {
    "a-module-by-its-output": (
        "qwen3",
        (r"swiglu\((.*), (self\.up_proj\(x\))\)", r"swiglu(\2, \1)"),
        ("logits", "output"),
        "def __call__(self, x: mx.array) -> mx.array:",
        ("modeling_qwen3.py", "def forward(self, x):"),
    ),
    "a-module-of-the-library-by-the-line-that-makes-it": (
        "qwen3",
        (r"(self\.q_norm = nn\.RMSNorm\(.*eps=)", r"\g<1>100 * "),
        ("logits", "output"),
        "self.q_norm = nn.RMSNorm(head_dim, eps=100 * args.rms_norm_eps)",
        ("modeling_qwen3.py", "self.q_norm = Qwen3RMSNorm("),
    ),
    "a-module-that-is-wrong-in-steps": (
        "qwen3",
        (r"offset=cache\.offset", "offset=0"),
        ("decode", "output"),
        "queries = self.rope(queries, offset=0)",
        ("modeling_qwen3.py", "q_embed = (q * cos)"),
    ),
    "a-cache-too-short-by-its-maker": (
        "gemma2",
        (r"max_size=self\.args\.sliding_window", r"\g<0> - 1"),
        ("rotating_cache", "cache"),
        "def make_cache(",
        ("modeling_gemma2.py", None),
    ),
    "a-rotation-past-the-window": (
        "gemma2",
        (r"queries, offset=cache\.offset", "queries, offset=min(cache.offset, 8)"),
        ("rotating_cache", "output"),
        "queries = self.rope(queries, offset=min(",
        ("modeling_gemma2.py", "q_embed = (q * cos)"),
    ),
    "a-rotation-of-later-pieces": (
        "qwen3",
        (r"queries, offset=cache\.offset", r"\g<0> if L == 1 else 0"),
        ("chunked_prefill", "output"),
        "queries = self.rope(queries, offset=cache.offset if",
        ("modeling_qwen3.py", "q_embed = (q * cos)"),
    ),
    "a-mask-of-pieces": (
        "gemma2",
        (r"h, c, window_size=window,", "h, c, window_size=window and 99,"),
        ("chunked_prefill", "mask"),
        "create_attention_mask(",
        ("modeling_gemma2.py", "_mask("),
    ),
    "a-module-far-from-the-beginning": (
        "qwen3",
        (
            r"swiglu\((.*)\)\)$",
            r"swiglu(\1 * mx.where(mx.arange(x.shape[1])[:, None] < 64, 1, 1.1)))",
        ),
        ("rope_far", "output"),
        "def __call__(self, x: mx.array) -> mx.array:",
        ("modeling_qwen3.py", "def forward(self, x):"),
    ),
    "a-rotation-of-far-steps": (
        "qwen3",
        (r"queries, offset=cache\.offset", r"queries, offset=cache.offset % 64"),
        ("rope_far", "output"),
        "queries = self.rope(queries, offset=cache.offset % 64)",
        ("modeling_qwen3.py", "q_embed = (q * cos)"),
    ),
    "what-comes-before-the-layers-in-pieces": (
        "qwen3",
        (
            r"self\.embed_tokens\(inputs\)",
            r"\g<0> * (1.1 if len(inputs[0]) == 5 else 1)",
        ),
        ("chunked_prefill", "input of the first layer"),
        "self.embed_tokens = nn.Embedding(",
        ("modeling_qwen3.py", "self.embed_tokens = "),
    ),
    "a-rotation-of-a-batch": (
        "qwen3",
        (
            r"offset=cache\.offset",
            r"\g<0> if isinstance(cache.offset, int) else mx.max(cache.offset)",
        ),
        ("batch", None),
        "def __call__(",
        ("modeling_qwen3.py", "def forward("),
    ),
    "what-goes-into-the-head-of-a-batch": (
        "qwen3",
        (r"self\.lm_head\(out\)", "self.lm_head(out * (1 + 0.1 * (len(out) > 1)))"),
        ("batch", "input of lm_head"),
        "out = self.lm_head(out * (1",
        ("modeling_qwen3.py", "self.lm_head("),
    ),
    "a-state-lost-between-pieces-of-a-batch": (
        "mamba2",
        (r"cache\.advance\(L\)", "pass"),
        ("batch", None),
        "def __call__(",
        ("modeling_mamba2.py", "def forward("),
    ),
    "a-mask-of-states-in-a-batch": (
        "qwen3_next",
        (r"create_ssm_mask\(h, c\)", "create_ssm_mask(h, None)"),
        ("batch", "mask"),
        "create_ssm_mask(h, None)",
        ("modeling_qwen3_next.py", None),
    ),
    "a-mask-of-keys-beside-one-of-states": (
        "falcon_h1",
        (r"(create_attention_mask)\(h, .*\)", r"\1(h, None)"),
        ("batch", "mask"),
        "create_attention_mask(h, None)",
        ("modeling_falcon_h1.py", "_mask("),
    ),
    "a-mask-that-is-given": (
        "gemma2",
        (r"h, c, window_size=window,", "h, c, window_size=None,"),
        ("logits", "mask"),
        "create_attention_mask(",
        ("modeling_gemma2.py", "_mask("),
    ),
    "a-choice-of-experts": (
        "mixtral",
        (r"mx\.softmax\((self\.gate\(.*\)), axis=-1\)", r"mx.sigmoid(\1)"),
        ("logits", None),
        "def __call__(",
        ("modeling_mixtral.py", "def forward("),
    ),
    "a-leak-of-float32": (
        "qwen3",
        (r"(return self\.o_proj\(.*\))$", r"\1.astype(mx.float32)"),
        ("dtype", None),
        "def __call__(",
        ("modeling_qwen3.py", "def forward("),
    ),
    "a-rounding-by-the-line-that-calls": (
        "qwen3",
        (
            r"self\.post_attention_layernorm\((.*?)\)",
            r"self.post_attention_layernorm((\1 + 8) - 8)",
        ),
        ("bfloat16", "input of post_attention_layernorm"),
        "self.post_attention_layernorm((",
        ("modeling_qwen3.py", "self.post_attention_layernorm("),
    ),
    "a-tensor-that-sanitize-spoils": (
        "mixtral",
        (r"weights\.pop\((f.*experts\.\{e\}.*)\)", r"weights.get(\1)"),
        ("weights", None),
        "def sanitize(self, weights):",
        ("modeling_mixtral.py", "class MixtralForCausalLM("),
    ),
    "a-rotation-that-is-a-class-of-its-own": (
        "gpt_oss",
        (r"freqs=self\._freqs", r"freqs=self._freqs * 1.1"),
        ("logits", "output"),
        "def __call__(",
        ("modeling_gpt_oss.py", None),
    ),
    "a-field-that-is-ignored": (
        "qwen3_moe",
        (r"if self\.norm_topk_prob:", "if False:"),
        ("config", "output"),
        "def __call__(",
        ("modeling_qwen3_moe.py", "def forward("),
    ),
    "a-mask-that-makes-a-module-raise": (
        "llama",
        (r"(create_attention_mask)\(h, .*\)", r"\1(h, None, return_array=True)"),
        ("chunked_prefill", "mask"),
        "output = scaled_dot_product_attention(",
        ("modeling_llama.py", None),
    ),
    "a-cache-that-makes-a-mask-raise": (
        "granitemoehybrid",
        (r"(ArraysCache\(size=2\) if kind) ==", r"\1 !="),
        ("decode", "cache"),
        "masks[kind] = create_ssm_mask(h, c)",
        ("modeling_granitemoehybrid.py", None),
    ),
    "padding-on-the-left": (
        "llama",
        (
            r"(create_attention_mask\(h, cache\[0\]\))",
            r"\1 if not hasattr(cache[0], 'left_padding') or cache[0].offset.max() "
            r"> 0 else 'causal'",
        ),
        ("batch", "mask"),
        "create_attention_mask(",
        ("modeling_llama.py", "_mask("),
    ),
    "an-exception": (
        "qwen3",
        (r"return self\.down_proj\(", "return self.no_proj("),
        ("logits", None),
        "return self.no_proj(",
        ("modeling_qwen3.py", "down_proj = self.down_proj("),
    ),
}


@pytest.mark.parametrize(
    "kind, edit, check, port_line, source_line", PLACES.values(), ids=PLACES
)
def test_lines_named_are_those_that_are_wrong(
    kind, edit, check, port_line, source_line, mapped, checkpoint, portwright, tmp_path
):
    text = mapped(kind).read_text()
    planted = re.sub(*edit, text, flags=re.MULTILINE)
    assert planted != text and planted.count("\n") == text.count("\n")
    port = tmp_path / "port.py"
    port.write_text(planted)
    map_file = Path(f"{mapped(kind)}.map.json")
    Path(f"{port}.map.json").write_text(map_file.read_text())
    name, tensor = check
    done = portwright(
        *("verify", checkpoint(kind), "--port", port, "--checks", name, "--json"),
        *("-o", tmp_path / "out"),
    )
    found = check_of(json.loads(done.stdout), name)
    assert found["status"] in ("warn", "fail"), found
    place = found["place"]
    assert tensor in (None, place["tensor"])
    assert port_line in line_of(place["port_file"], place["port_line"])
    assert Path(place["source_file"]).name == source_line[0]
    if source_line[1]:
        assert source_line[1] in line_of(place["source_file"], place["source_line"])
