"""Experts and states as the v4 years wrote them: what their port must say."""

from pathlib import Path

LOOPED = Path(__file__).parents[1] / "library" / "remote_code" / "looped_experts"


def test_a_loop_over_modules_is_a_switch_layer(emitted_from):
    text = emitted_from(LOOPED)
    assert "self.switch_mlp = SwitchGLU(" in text
    assert "self.switch_mlp(h, inds)" in text
    # Checkpoints hold a module for each expert.
    assert '("gate", "gate_proj"),' in text
    assert "for e in range(self.args.num_experts)" in text
    # The cache of the source's own keeps keys for some layers, states for others.
    assert "KVCache()" in text
    assert "ArraysCache(size=1)" in text
    assert "keys, values = cache.update_and_fetch(keys, values)" in text
