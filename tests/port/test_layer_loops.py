"""Layers that run in loops of the source's own: what their port must say."""

import pytest


@pytest.fixture
def lines(style, emitted_from):
    """The statements of a fixture's port from the first cache to the answer."""

    def run(name):
        text = " ".join(emitted_from(style(name)).split())
        start = text.index("caches = iter(cache)")
        return text[start : text.index("return", start)].strip()

    return run


def test_layers_run_several_times_with_a_cache_for_each(lines):
    assert lines("looped_layers") == (
        "caches = iter(cache) "
        "for _ in range(self.n_loop): "
        "for layer in self.blocks: "
        "h = layer(h, mask, next(caches)) "
        "h = self.norm(h)"
    )


def test_one_block_is_run_for_all_layers(lines):
    assert lines("one_block") == (
        "caches = iter(cache) "
        "h = self.widen(h) "
        "for _ in range(self.n_layer): "
        "h = self.block(h, mask, next(caches))"
    )


def test_caches_are_counted_in_terms_of_the_config(style, emitted_from):
    text = " ".join(emitted_from(style("recurrent_depth")).split())
    assert (
        "self.n_caches = args.n_pre + args.n_loop * args.n_layer + args.n_post" in text
    )
    assert "return [KVCache() for _ in range(self.transformer.n_caches)]" in text
    # All layers, each once.
    assert (
        "self.transformer.prelude + self.transformer.blocks + self.transformer.coda"
        in text
    )


def test_what_went_into_a_loop_is_read_in_each_turn(lines):
    assert lines("recurrent_depth") == (
        "caches = iter(cache) "
        "for layer in self.prelude: "
        "h = layer(h, mask, next(caches)) "
        "first_states = h "
        "for _ in range(self.n_loop): "
        "h = self.adapter(mx.concatenate([h, first_states], axis=-1)) "
        "for layer in self.blocks: "
        "h = layer(h, mask, next(caches)) "
        "for layer in self.coda: "
        "h = layer(h, mask, next(caches))"
    )


def test_a_layer_is_picked_by_what_the_source_computes(lines):
    assert "self.groups[int(i / (self.n_layer / self.n_group))](" in (
        lines("shared_groups")
    )


def test_what_a_layer_answers_stands_beside_what_it_was_given(lines):
    text = lines("mixed_streams")
    assert "for i, layer in enumerate(self.blocks):" in text
    assert "y = layer(x2, mask, next(caches))" in text
    assert "states" not in text


def test_states_of_the_first_half_wait_for_the_second(lines):
    assert lines("skips") == (
        "caches = iter(cache) "
        "states = [] "
        "for i in range(self.half): "
        "h = self.blocks[i](h, mask, next(caches)) "
        "states.append(h) "
        "for i in range(self.half): "
        "h = h + self.skip_weights[i] * states[-1 - i] "
        "h = self.blocks[self.n_layer // 2 + i](h, mask, next(caches))"
    )


def test_all_states_so_far_are_a_list(style, emitted_from):
    text = emitted_from(style("weighted_depth"))
    assert "states = [h]\n        for i, layer in enumerate(self.blocks):" in text
    assert "mx.stack(states, axis=0)" in text
    assert "[mx.zeros((i + 2,)) for i in range(args.n_layer)]" in text


def test_states_that_are_read_after_the_loop_are_a_list(style, emitted_from):
    text = " ".join(emitted_from(style("all_states")).split())
    assert (
        "states = [h] "
        "for layer in self.blocks: "
        "h = layer(h, mask, next(caches)) "
        "states.append(h)" in text
    )
    assert "(mx.stack(states, axis=-1) * weights).sum(axis=-1)" in text


def test_a_loop_that_turns_once_does_not_tell_what_it_does(style, portwright, tmp_path):
    folder = style("skips")
    config = folder / "config.json"
    config.write_text(
        config.read_text()
        .replace('"n_layer": 6', '"n_layer": 2')
        .replace('"num_hidden_layers": 6', '"num_hidden_layers": 2')
    )
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 1
    assert "turn too seldom in this config" in done.stdout


def test_turns_that_differ_are_no_loop(style, portwright, tmp_path):
    folder = style("looped_layers")
    own = folder / "modeling_looped.py"
    own.write_text(
        own.read_text().replace("x = self.norm(x)", "x = x * (2.0 + 3.0 * turn**2)")
    )
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 3
    assert "is run by a loop whose turns differ" in done.stderr
