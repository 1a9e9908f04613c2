"""Layers that attend to the keys of earlier ones: what their port must say."""

from pathlib import Path

SHARING = Path(__file__).parents[1] / "library" / "remote_code" / "shared_keys"


def test_layers_share_the_keys_of_the_last_of_their_kind(emitted_from):
    text = emitted_from(SHARING)
    # A layer that keeps none is given the cache of the one it shares with.
    assert 'if hasattr(layer.self_attn, "k_proj"):' in text
    assert "kept[kind] = None, next(caches)" in text
    assert "offset = cache.offset - L if cache is not None else 0" in text
    assert "for layer, kind in zip(self.layers, self.args.layer_types)" in text
    # Which layers those are the config computes, by variables of its own.
    assert "first = self.num_hidden_layers - self.num_kv_shared_layers" in text
    assert "period = 2" in text
    # The layers run on several streams, as many as were unrolled.
    assert "create_attention_mask(h[0], c" in text
    assert "num_streams other than 3 is not supported" in text


def test_a_checkpoint_with_its_own_code_is_ported(proven_with_own_code):
    out = proven_with_own_code(SHARING)
    assert (out / "checkpoint" / "modeling_sharing.py").exists()
