"""Source as transformers 4 had it: what its port must say, and that it is right."""

import shutil
from pathlib import Path

from .test_errors import compile_fast, damaged_source  # noqa: F401

OWN_CODE = Path(__file__).parents[1] / "library" / "remote_code"
OLDER = OWN_CODE / "older_style"
LOOPED = OWN_CODE / "looped_experts"
ROLLED = OWN_CODE / "rolled_convolution"


def test_parameters_of_an_init_are_fields_with_their_defaults(emitted_from):
    text = emitted_from(OLDER)
    assert "hidden_size: int = 2048" in text
    assert "num_key_value_heads: Optional[int] = None" in text
    assert "self.num_key_value_heads = self.num_attention_heads" in text
    assert "else 3 * self.hidden_size" in text
    assert "config.json must give" not in text
    # Rotary parameters in flat fields, one of them by a name of the class's own.
    assert "rope_theta: float = 10000.0" in text
    # That which the base class sets last stands above it.
    assert "self.rotary_share = self.partial_rotary_factor" in text
    assert "int(args.head_dim * args.partial_rotary_factor)" in text


def test_a_mask_of_the_source_s_own_is_mlx_lm_s(emitted_from):
    text = emitted_from(OLDER)
    assert "mask = create_attention_mask(h, cache[0])" in text
    assert "queries, keys, values, cache=cache, scale=1 / self" in text


def test_positions_are_those_given_before_the_source_changes_them(
    emitted_from, tmp_path
):
    folder = shutil.copytree(OLDER, tmp_path / "in_place")
    file = folder / "modeling_older.py"
    whole = "position_ids = position_ids + self.first_place"
    assert whole in file.read_text()
    changed = file.read_text().replace(whole, "position_ids += self.first_place")
    file.write_text(changed)
    text = emitted_from(folder)
    assert "positions + 2" in text
    assert "initialize_rope(" in text


def test_it_computes_what_torch_does(proven_with_own_code):
    proven_with_own_code(OLDER)


def test_a_library_whose_generate_begins_without_a_cache(
    transformers, damaged_source, checkpoint, compile_fast  # noqa: F811
):
    home, _ = damaged_source(lambda s: s)
    (home / "generation").unlink()
    shutil.copytree(transformers / "generation", home / "generation")
    file = home / "generation" / "utils.py"
    text = file.read_text()
    assert "def _prepare_cache_for_generation(" in text
    file.write_text(text.replace("_prepare_cache_for_generation", "_begin_later"))
    done, out = compile_fast(checkpoint("llama"), "--transformers", home)
    assert done.returncode == 0, done.stderr
    assert "keys, values = cache.update_and_fetch(" in (out / "port.py").read_text()


def test_a_loop_over_modules_is_a_switch_layer(emitted_from):
    text = emitted_from(LOOPED)
    assert "self.switch_mlp = SwitchGLU(" in text
    assert "self.switch_mlp(x, inds)" in text
    # Checkpoints hold a module for each expert.
    assert '("gate", "gate_proj"),' in text
    assert "for e in range(self.args.num_experts)" in text
    # The cache of the source's own keeps keys for some layers, states for others.
    assert "KVCache()" in text
    assert "ArraysCache(size=1)" in text
    assert "keys, values = cache.update_and_fetch(keys, values)" in text


def test_a_rolled_state_is_a_causal_convolution(emitted_from):
    text = emitted_from(ROLLED)
    # Its activation is in it, for all that reads what it answers.
    assert "x = self._convolve(x, mask, cache)" in text
    assert "return nn.silu(self.conv(x))" in text
    assert text.count("self.conv(") == 1
    assert text.count("self.in_proj(x)") == 1
    assert "for t in range" not in text
    # A field that the config class declares has that default alone.
    assert "inner_size: Optional[int] = 40" in text


def test_a_rolled_state_computes_what_torch_does(proven_with_own_code):
    proven_with_own_code(ROLLED)
