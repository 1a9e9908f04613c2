"""Layers that keep states: what their port must say, read in its text."""


def test_the_class_that_a_layer_looks_up_tells_it_apart(emitted):
    text = emitted("nemotron_h")
    assert 'elif args.layers_block_type[layer_idx] == "moe":' in text
    assert "for char in self.hybrid_override_pattern" in text
