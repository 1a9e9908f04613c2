"""Attention that does more than attend: what its port must say, read in its text."""


def test_positions_made_of_the_cache_s_length_are_those_of_each_row(emitted):
    text = emitted("llama4_text")
    assert "positions = mx.array(offset).reshape(-1, 1) + mx.arange(L)" in text
    assert "y = attn_scales.reshape(-1, L, 1, 1)" in text


def test_an_index_keeps_its_keys_in_a_cache_of_its_own(emitted):
    text = emitted("deepseek_v32")
    assert "return [CacheList(KVCache(), KVCache()) for _ in self.layers]" in text
    assert "cache, index_cache = (None, None) if cache is None else cache" in text
    assert "k = min(self.index_topk, index_keys.shape[1])" in text
    assert "kept = kept & mask" in text


def test_what_an_index_chose_is_handed_from_layer_to_layer(emitted):
    text = emitted("hy_v4")
    assert "h, topk_indices = layer(h, topk_indices, mask, c)" in text
    assert 'if hasattr(layer.self_attn, "indexer")' in text


def test_layers_that_slide_stand_beside_layers_with_an_index(emitted):
    text = emitted("dots3_note_text")
    assert "c = c[0] if isinstance(c, CacheList) else c" in text
    flat = " ".join(text.split())
    assert 'CacheList(KVCache(), KVCache()) if hasattr(layer.self_attn, "ind' in flat
    assert "RotatingKVCache(max_size=self.args.sliding_window) if kind" in flat


def test_positions_laid_in_one_line_are_those_of_every_row(emitted):
    text = " ".join(emitted("xglm").split())
    assert "positions = mx.broadcast_to(" in text
    assert "h.shape[:2]" in text
