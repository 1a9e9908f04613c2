"""Attention that does more than attend: what its port must say, read in its text."""


def test_positions_made_of_the_cache_s_length_are_those_of_each_row(emitted):
    text = emitted("llama4_text")
    assert "positions = mx.array(offset).reshape(-1, 1) + mx.arange(L)" in text
    assert "y = attn_scales.reshape(-1, L, 1, 1)" in text
