"""Layers that keep states: what their port must say, read in its text."""


def test_the_class_that_a_layer_looks_up_tells_it_apart(emitted):
    text = emitted("nemotron_h")
    assert 'elif args.layers_block_type[layer_idx] == "moe":' in text
    assert "for char in self.hybrid_override_pattern" in text


def test_keys_that_a_config_class_takes_from_the_rest_are_fields(emitted):
    text = emitted("qwen3_next")
    assert "full_attention_interval: int = 4" in text
    assert "(i + 1) % self.full_attention_interval" in text
    assert "config.json must give layer_types" not in text
