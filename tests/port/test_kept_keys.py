"""Models whose source keeps no cache: their ports keep keys and values all the same."""

import shutil
from pathlib import Path

from .conftest import answer

PLAIN = Path(__file__).parents[1] / "library" / "remote_code" / "keeps_nothing"


def test_keys_that_the_source_computes_anew_are_kept(portwright, tmp_path):
    file = tmp_path / "plain.py"
    done = portwright("compile", PLAIN, "-o", file, "--fast", "--json")
    assert done.returncode == 0, done.stderr
    told = answer(done)
    assert told["holes"] == [] and told["proof"]["in_process"]["verdict"] == "passed"
    text = file.read_text()
    # Before they are repeated for the queries.
    assert "keys, values = cache.update_and_fetch(keys, values)" in text
    assert "repeat" not in text
    assert "mask = create_attention_mask(h, cache[0])" in text


def test_what_reads_later_keys_is_left_as_it_is(portwright, tmp_path):
    folder = tmp_path / "both_ways"
    shutil.copytree(PLAIN, folder)
    own = folder / "modeling_plain.py"
    own.write_text(own.read_text().replace("torch.tril(", "torch.triu("))
    file = tmp_path / "both_ways.py"
    done = portwright("compile", folder, "-o", file, "--fast", "--json")
    assert done.returncode == 3, done.stderr
    assert "keeps no keys and values" in answer(done)["holes"][0]["message"]


FUSED = """\
        output = nn.functional.scaled_dot_product_attention(
            queries, keys, values, is_causal=True
        ).transpose(1, 2)
"""


def test_torch_s_fused_attention_is_mlx_s(portwright, tmp_path):
    folder = tmp_path / "fused"
    shutil.copytree(PLAIN, folder)
    own = folder / "modeling_plain.py"
    text = own.read_text()
    start = text.index("        scores = queries")
    end = text.index("        return self.out(")
    own.write_text(text[:start] + FUSED + text[end:])
    file = tmp_path / "fused.py"
    done = portwright("compile", folder, "-o", file, "--fast", "--json")
    assert done.returncode == 0, done.stderr
    assert answer(done)["proof"]["in_process"]["verdict"] == "passed"
    text = " ".join(file.read_text().split())
    assert "scale=queries.shape[-1] ** -0.5" in text and "mask=mask" in text


def test_keys_laid_out_for_a_product_are_kept_by_heads(emitted):
    text = emitted("openai-gpt")
    assert "cache.update_and_fetch(keys, values)" in text
    assert "mask=mask" in text and "-10000" not in text
    # Chosen by a dict of the file's own, so built in.
    assert 'if self.afn != "gelu":' in text


def test_stacks_in_turns_have_caches_of_their_own(emitted):
    text = emitted("hrm_text")
    assert "for _ in range(self.H_cycles):" in text
    assert "return [KVCache() for _ in range(self.model.n_caches)]" in text
    assert "self.model.L_module.layers + self.model.H_module.layers" in text
    # Whether gradients flow in a turn is no matter of a port.
    assert "bp_cycles" not in text
    # Checkpoints hold the four maps as one.
    assert "parts = mx.split(weights.pop(k), 4, axis=0)" in text
