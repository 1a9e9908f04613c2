"""Layers that keep states: what their port must say, read in its text."""

import json
from pathlib import Path

MIXED = Path(__file__).parents[1] / "library" / "remote_code" / "states_and_keys"


def test_some_layers_keep_keys_beside_states(emitted_from):
    text = emitted_from(MIXED)
    assert "CacheList(ArraysCache(size=2), KVCache())" in text
    assert "masks[kind] = (mask, create_ssm_mask(h, c[0]))" in text
    # Called by those that attend with what they attended to, by others without.
    assert "attended: Optional[mx.array] = None" in text
    assert "attended=self.linear(self.block(x, embedded, mask, cache[1]))" in text
    # What the first layer of the loop is given is no more once it ran.
    assert "embeddings = h\n" in text
    assert "h = layer(h, embeddings, *masks[kind], c)" in text
    # The checkpoint holds the shared block once.
    assert 'held = [p for p in prefixes if p + "down.weight" in weights]' in text
    # Of a list in it, with a module for each of them, each keeps its own.
    assert "self.adapters = [nn.Linear(args.hidden_size, args.hidden_size" in text
    assert 'used = path + f"{n}."' in text


def test_what_layers_share_goes_in_turns(emitted):
    text = emitted("zamba2")
    assert "own = held[i % len(held)]" in text
    # The n-th layer has the n-th of the adapters alone, as the first.
    assert "self.gate_up_proj_adapter_list[0][1](" in text
    assert '"shared_transformer.feed_forward.gate_up_proj_adapter_list"' in text
    # Which is the n-th, a list in the config says, which might say otherwise.
    assert "hybrid_layer_ids must list the hybrid layers in order" in text


def test_the_class_that_a_layer_looks_up_tells_it_apart(emitted):
    text = emitted("nemotron_h")
    assert 'elif args.layers_block_type[layer_idx] == "moe":' in text
    assert "for char in self.hybrid_override_pattern" in text


def test_keys_that_a_config_class_takes_from_the_rest_are_fields(emitted):
    text = emitted("qwen3_next")
    assert "full_attention_interval: int = 4" in text
    assert "(i + 1) % self.full_attention_interval" in text
    assert "config.json must give layer_types" not in text


def test_some_layers_slide_over_states(emitted):
    text = emitted("inkling_text")
    flat = " ".join(text.split())
    assert (
        'RotatingKVCache(max_size=self.args.sliding_window) if kind == "hybrid_s'
        in flat
    )
    assert "masks[kind] = create_attention_mask( h, c[1], window_size=window" in flat
    assert "h = layer(h, masks[kind], ssm_mask, c)" in text
    # What is far is told by where a rotating cache keeps it.
    assert "- positions_of_keys(positions, keys, cache)[:, None, :]" in text
    assert "def __call__(self, x: mx.array, distance: mx.array) -> mx.array:" in text
    # The convolution computes in float32, whatever it is given.
    assert "h = self._convolve(x.astype(mx.float32), mask, cache)" in text


def test_a_config_that_lets_every_other_layer_slide(checkpoint, emitted_from, tmp_path):
    config = json.loads((checkpoint("zaya") / "config.json").read_text())
    config["layer_types"] = ["hybrid_sliding", "hybrid", "hybrid_sliding"]
    config["sliding_window"] = 8
    folder = tmp_path / "sliding"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    text = emitted_from(folder)
    assert 'self.sliding_window if kind == "hybrid_sliding" else None' in text
    assert "masks[kind] = create_attention_mask(h, c[1], window_size=" in text


def test_which_layers_keep_states_is_told_as_in_the_source(style, emitted_from):
    text = " ".join(emitted_from(style("scanned_layers")).split())
    assert (
        '"full_attention" if layer_idx % self.attend_every == 0 '
        'else "recurrent" for layer_idx in range(self.n_layer)' in text
    )
    assert 'ArraysCache(size=1) if kind == "recurrent" else KVCache()' in text


def test_a_list_of_the_config_tells_which_layers_keep_states(style, emitted_from):
    folder = style("scanned_layers")
    own = folder / "modeling_scanned.py"
    text = own.read_text()
    by_number = "i % c.attend_every == 0"
    assert by_number in text
    own.write_text(text.replace(by_number, "c.attend_every[i] == 1"))
    config = folder / "config.json"
    given = json.loads(config.read_text()) | {"attend_every": [1, 0, 0, 1, 0]}
    config.write_text(json.dumps(given))
    text = " ".join(emitted_from(folder).split())
    assert "if self.attend_every[layer_idx] == 1" in text
