"""Source in other words than transformers': what is recognised does not hang on how it
is written."""

import json

import pytest

from .conftest import answer

# Through the whole battery. Heads subtracted from each other lose digits in bfloat16;
# what a checkpoint holds for nothing is told, too.
BATTERY = {
    "complex_rotation": "pass",
    "differential": "warn",
    "masked_experts": "pass",
    "near_and_far": "pass",
    "own_cache": "warn",
    "recurrent_depth": "pass",
    "value_residual": "pass",
}


@pytest.mark.parametrize("name", BATTERY)
def test_it_computes_what_torch_does(name, style, proven_with_own_code):
    out = proven_with_own_code(style(name), verdict=BATTERY[name])
    # The caches of the port tell a window, whatever the config calls it.
    (port,) = out.glob("*.py")
    checks = json.loads((out / "results.json").read_text())["checks"]
    (past_window,) = [c["status"] for c in checks if c["name"] == "rotating_cache"]
    slides = "RotatingKVCache" in port.read_text()
    assert past_window == ("pass" if slides else "skipped")


# Held against its own source; tests/library holds that against torch.
@pytest.mark.parametrize(
    "name",
    [
        "all_states",
        "bare_parameters",
        "blocks_beside_head",
        "distance_bias",
        "distance_table",
        "looped_layers",
        "masked_slopes",
        "mixed_streams",
        "named_reach",
        "nothing_kept",
        "one_block",
        "one_hot_experts",
        "own_positions",
        "parallel_streams",
        "scanned_layers",
        "shared_groups",
        "sigmoid_scores",
        "skips",
        "turned_keys",
        "uneven_heads",
        "uneven_layers",
        "weighted_depth",
    ],
)
def test_it_computes_what_its_source_does(name, style, emitted_from):
    emitted_from(style(name))


def test_a_causal_lm_that_holds_its_layers_itself_is_one_class(style, emitted_from):
    text = " ".join(emitted_from(style("blocks_beside_head")).split())
    assert "h = layer(h, mask, c) return self.head(self.norm(h))" in text
    assert "def layers" not in text


def test_weights_have_no_part_in_a_rotation(style, emitted_from):
    text = " ".join(emitted_from(style("blocks_beside_head")).split())
    assert "queries = queries * mx.exp(self.log_temperature)" in text
    assert "scale=queries.shape[-1] ** -0.5" in text


def test_how_much_of_a_head_turns_is_told_by_the_slice(style, emitted_from):
    text = " ".join(emitted_from(style("blocks_beside_head")).split())
    assert "initialize_rope( args.n_embd // args.n_head // 2, base=10000.0" in text


def test_layers_are_counted_by_the_field_that_counts_them(style, emitted_from):
    # There are as many heads, by chance.
    text = emitted_from(style("nothing_kept"))
    assert "for i in range(args.n_layer)" in text


def test_ranges_from_zero_are_positions(style, emitted_from):
    text = emitted_from(style("nothing_kept"))
    assert 'self.transformer["wpe"](positions)' in text
    assert "offset = cache[0].offset" in text


def test_what_mixes_tokens_and_keeps_none_is_refused(style, portwright, tmp_path):
    folder = style("nothing_kept")
    own = folder / "modeling_bare.py"
    text = own.read_text()
    text = text.replace(
        "        self.down =",
        "        self.mix = nn.Conv1d(c.n_embd, c.n_embd, 3, padding=2)\n"
        "        self.down =",
    )
    text = text.replace(
        "        x = x + self.attn(",
        "        x = x + self.mix(x.mT)[..., : x.shape[1]].mT\n"
        "        x = x + self.attn(",
    )
    own.write_text(text)
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 3, done.stderr
    assert "mixes tokens by conv1d(), and keeps nothing of those" in done.stderr


def test_attributes_and_conditions_of_one_name_are_told_apart(style, emitted_from):
    text = emitted_from(style("nothing_kept"))
    assert "self.use_bias = args.bias" in text
    assert "not supported" not in text


def test_attention_is_fused_whatever_it_is_written_with(style, emitted_from):
    text = emitted_from(style("complex_rotation"))
    assert "mask = create_attention_mask(h, cache[0])" in text
    assert "scaled_dot_product_attention(" in text
    assert "einsum" not in text
    assert "traditional=True" in text


def test_pairs_that_a_caller_keeps_become_a_cache(style, emitted_from):
    text = emitted_from(style("turned_keys"))
    assert "keys, values = cache.update_and_fetch(keys, values)" in text
    # Laid out for the cache once, and not for the source's own as well.
    assert "values.reshape(B, L, self.heads, self.width).transpose(0, 2, 1, 3)" in text
    assert "scaled_dot_product_attention(" in text


def test_what_bounds_hidden_scores_alone_is_no_part_of_attention(style, emitted_from):
    text = emitted_from(style("tuple_cache"))
    assert "scaled_dot_product_attention(" in text
    assert "mx.maximum" not in text


def test_windows_are_called_what_the_source_calls_them(style, emitted_from):
    text = emitted_from(style("near_and_far"))
    assert "near_window: int = 6" in text
    assert "sliding_window" not in text
    assert "RotatingKVCache(max_size=self.args.near_window)" in text


def test_layers_are_told_apart_by_their_numbers_as_in_the_source(style, emitted_from):
    text = " ".join(emitted_from(style("near_and_far")).split())
    assert (
        '"full_attention" if (layer_idx + 1) % self.far_every == 0 '
        'else "sliding_attention"' in text
    )
    assert "for layer_idx in range(self.n_layer)" in text


def test_what_is_rotated_is_followed_to_what_made_it(style, emitted_from):
    # The source leaves the width of a head to view().
    text = emitted_from(style("near_and_far"))
    assert "self.heads = heads = args.n_head" in text
    assert "initialize_rope(n_embd // heads, base=args.base" in text


@pytest.mark.parametrize(
    "kinds",
    ["number % 2 == 1", "number in c.far_layers", "c.n_layer - number <= c.far_every"],
)
def test_any_condition_on_the_number_tells_layers_apart(kinds, style, emitted_from):
    folder = style("near_and_far")
    own = folder / "modeling_near.py"
    own.write_text(own.read_text().replace("(number + 1) % c.far_every == 0", kinds))
    config = folder / "configuration_near.py"
    config.write_text(
        config.read_text().replace(
            "self.base = base", "self.base = base\n        self.far_layers = [1, 4]"
        )
    )
    text = emitted_from(folder)
    condition = kinds.replace("number", "layer_idx").replace("c.", "self.")
    assert condition in " ".join(text.split())


def test_a_layer_may_choose_among_the_masks_it_is_given(style, emitted_from):
    folder = style("near_and_far")
    own = folder / "modeling_near.py"
    text = own.read_text()
    made = text.index("        keys = torch.arange(past + t")
    end = text.index("        scores = torch.matmul(")
    text = (
        text[:made] + "        seen = masks[0] if self.far else masks[1]\n" + text[end:]
    )
    text = text.replace("kept, past, cache):", "masks, cache):")
    text = text.replace("attention_mask, past, cache)", "masks, cache)")
    text = text.replace(
        "        x = self.wte(ids)\n",
        """        keys = torch.arange(past + t, device=ids.device)
        back = keys[past:, None] - keys[None, :]
        kept = attention_mask[:, None, None, :].bool()
        near = (back >= 0) & (back < self.reach)
        masks = [(back >= 0)[None, None] & kept, near[None, None] & kept]
        x = self.wte(ids)
""",
    )
    text = text.replace(
        "        self.wte =", "        self.reach = c.near_window\n        self.wte ="
    )
    own.write_text(text)
    text = " ".join(emitted_from(folder).split())
    assert "RotatingKVCache(max_size=self.args.near_window)" in text
    assert '"full_attention" if (layer_idx + 1) % self.far_every == 0' in text


def test_a_module_around_the_layers_may_embed(style, emitted_from):
    folder = style("near_and_far")
    own = folder / "modeling_near.py"
    text = own.read_text()
    for old, new in {
        "class Body(": "class Stack(",
        "        self.wte = nn.Embedding(c.vocab_size, c.n_embd)\n": "",
        "forward(self, ids, ": "forward(self, x, ",
        "b, t = ids.shape": "b, t, _ = x.shape",
        "ids.device": "x.device",
        "        x = self.wte(ids)\n": "",
    }.items():
        assert old in text
        text = text.replace(old, new)
    around = """class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.stack = Stack(c)

    def forward(self, ids, **given):
        return self.stack(2.0 * self.wte(ids), **given)


"""
    own.write_text(text.replace("class NearFor", around + "class NearFor"))
    text = emitted_from(folder)
    assert "input_embeddings = self.wte(inputs)" in text
    assert "self.stack(inputs, cache, input_embeddings)" in text


def test_distances_that_a_module_measures_are_a_bias_by_key(style, emitted_from):
    text = " ".join(emitted_from(style("distance_bias")).split())
    assert "scaled_dot_product_attention(" in text
    assert "mx.arange(keys.shape[2]) - positions[:, None, :, None]" in text
    # As many as there are rows in what was recorded, by chance.
    assert "mx.arange(1, args.n_head + 1)" in text


def test_a_bias_that_hides_keys_is_a_bias_and_a_mask(style, emitted_from):
    text = " ".join(emitted_from(style("masked_slopes")).split())
    assert "mask = create_attention_mask(h, cache[0], return_array=True)" in text
    assert "bias = mx.where(mask, bias, mx.finfo(bias.dtype).min)" in text
    assert "for i in range(args.n_head)" in text


def test_distances_are_between_places_of_all_keys(style, emitted_from):
    text = " ".join(emitted_from(style("distance_table")).split())
    assert (
        "back = mx.arange(keys.shape[2] - L, keys.shape[2]) "
        "back = back[:, None] - mx.arange(keys.shape[2])[None, :]" in text
    )


def test_hidden_keys_are_weighed_by_nothing(style, emitted_from):
    text = " ".join(emitted_from(style("sigmoid_scores")).split())
    assert "shown = mask if mask is not None else mx.array(True)" in text
    assert "mx.sigmoid(" in text and ") * shown" in text


def test_frequencies_in_checkpoints_are_those_of_the_config(style, emitted_from):
    text = emitted_from(style("sigmoid_scores"))
    assert "self.rope = initialize_rope(" in text
    assert 'unread = ("turn.inv_freq",)' in text


def test_lists_of_numbers_are_made_once(style, emitted_from):
    text = " ".join(emitted_from(style("sigmoid_scores")).split())
    assert "mx.array([2 ** (-8.0 * (i + 1) / heads) for i in range(heads)])" in text


def test_a_list_of_the_config_tells_which_layers_slide(style, emitted_from):
    text = " ".join(emitted_from(style("named_reach")).split())
    assert (
        '"full_attention" if kind == "long" else "sliding_attention" '
        "for kind in self.views" in text
    )


def test_layers_that_nothing_tells_apart_are_refused(style, portwright, tmp_path):
    folder = style("named_reach")
    own = folder / "modeling_reach.py"
    text = own.read_text()
    assert "zip(self.c.views, self.blocks)" in text
    views = '["short", "long", "short", "short"]'
    own.write_text(text.replace("self.c.views", views))
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"long"', '"short"'))
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 3
    assert "nothing of the config tells which layers slide" in done.stderr


def test_tokens_before_rows_are_refused(style, portwright, tmp_path):
    file = tmp_path / "port.py"
    done = portwright("compile", style("tokens_first"), "-o", file, "--fast")
    assert done.returncode == 3
    assert "is given tokens before the rows of a batch" in done.stderr


def test_scores_that_a_mask_fills_are_filled_where_it_hides(style, emitted_from):
    folder = style("distance_bias")
    own = folder / "modeling_distance.py"
    text = own.read_text()
    fused = "y = torch.softmax(scores.float(), dim=-1).to(x.dtype) @ v"
    assert fused in text
    # Heads lose what all of them read: no fused function does that.
    text = text.replace(
        fused,
        "w = torch.softmax(scores.float(), dim=-1).to(x.dtype)\n"
        "        y = (w - 0.5 * w.mean(dim=1, keepdim=True)) @ v",
    )
    own.write_text(text)
    text = emitted_from(folder)
    assert "scores = mx.where(mask, scores, mx.finfo(scores.dtype).min)" in text


def test_sizes_of_bare_weights_are_fields(style, emitted_from):
    text = emitted_from(style("bare_parameters"))
    assert "mx.zeros((args.n_embd, args.n_head, args.n_embd // args.n_head))" in text
    assert "einsum" not in text


def test_a_window_is_found_beyond_what_was_recorded(style, proven_with_own_code):
    (port,) = proven_with_own_code(style("far_window")).glob("*.py")
    assert "RotatingKVCache(max_size=self.args.reach)" in port.read_text()


def test_what_the_first_layer_makes_is_made_where_there_is_none(style, emitted_from):
    text = emitted_from(style("value_residual"))
    assert "if first_values is None:" in text
    assert "h, first_values = layer(h, embeddings, first_values, mask, c)" in text


def test_fewer_heads_are_kept_as_often_as_the_others(style, emitted_from):
    text = emitted_from(style("differential"))
    assert "values = mx.repeat(values, repeats, axis=1)" in text
    assert "values = values[:, ::repeats]" in text


def test_numbers_by_layer_are_read_from_lists(style, emitted_from):
    text = emitted_from(style("uneven_layers"))
    assert "self.nq = heads[layer_idx]" in text
    assert "initialize_rope(hd, base=args.theta" in text


def test_a_norm_without_eps_has_that_of_float32(style, emitted_from):
    text = emitted_from(style("parallel_streams"))
    assert "eps=1.1920928955078125e-07" in text


def test_a_class_that_generate_completes_has_its_own_source(style, emitted_from):
    # Before GenerationMixin was a base of its own, code named PreTrainedModel alone.
    folder = style("near_and_far")
    shared = folder / "decoding.py"
    text = shared.read_text()
    assert "(PreTrainedModel, GenerationMixin)" in text
    text = text.replace("(PreTrainedModel, GenerationMixin)", "(PreTrainedModel)")
    text += """
    def prepare_inputs_for_generation(self, input_ids, **kwargs):
        return {"input_ids": input_ids, **kwargs}
"""
    shared.write_text(text)
    assert "(layer_idx + 1) % self.far_every == 0" in emitted_from(folder)


def test_rows_cut_out_of_a_table_are_those_of_positions(style, emitted_from):
    text = emitted_from(style("own_positions"))
    assert "initialize_rope(args.head_width, base=10000" in text
    assert "cosines" not in text and "table_length" not in text


def test_keys_that_an_attention_hides_by_itself_are_hidden_by_a_mask(
    style, emitted_from
):
    text = emitted_from(style("own_positions"))
    assert "mask = create_attention_mask(h, cache[0])" in text
    assert "scaled_dot_product_attention(" in text
    assert "1e9" not in text and "inf" not in text


def test_what_hides_other_keys_is_left_as_it_is(style, portwright, tmp_path):
    folder = style("own_positions")
    own = folder / "modeling_placed.py"
    text = own.read_text()
    assert ".triu(1)" in text
    own.write_text(text.replace(".triu(1)", ".triu(2)"))
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast", "--json")
    assert done.returncode == 3, done.stderr
    assert answer(done)["holes"][0]["line"] > 1


def test_what_no_forward_reads_again_is_no_state(style, emitted_from):
    text = emitted_from(style("own_positions"))
    assert "share" not in text
    assert "return [KVCache() for _ in" in text or "make_cache" not in text


def test_a_store_by_truth_chooses(style, emitted_from):
    text = emitted_from(style("own_positions"))
    assert "mx.where(large, x, mx.zeros(x.shape, x.dtype))" in text


def test_keywords_that_a_config_takes_are_fields(style, emitted_from):
    text = emitted_from(style("own_positions"))
    assert "heads: int = 4" in text and "if self.heads is None" not in text
    assert "self.groups = self.heads // 2" in text
    assert "self.head_width = self.width // self.heads" in text


def test_buffers_that_nothing_reads_stay_out(style, emitted_from):
    text = emitted_from(style("own_positions"))
    assert '"frequencies.per_position"' in text


# How the experts of "masked_experts" may run instead: the statements that choose
# and weigh them, and what a port shows of it.
ONE_EACH = "        weight, chosen = F.softmax(self.router(x), -1).max(dim=-1)\n"
EXPERT_STYLES = {
    "one expert each, unweighted": (
        ONE_EACH
        + """        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            mask = chosen == i
            out[mask] = expert(x[mask])
        return out
""",
        "out = y.squeeze(-2)",
    ),
    "one expert each, weighed behind them": (
        ONE_EACH
        + """        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            out = torch.where((chosen == i).unsqueeze(-1), expert(x), out)
        return out * weight.unsqueeze(-1)
""",
        "y.squeeze(-2) * weight[..., None]",
    ),
    "every expert over every token": (
        """        best, chosen = self.router(x).topk(self.top, dim=-1)
        gates = torch.zeros_like(self.router(x)).scatter(-1, chosen, best.sigmoid())
        out = 0
        for i, expert in enumerate(self.experts):
            out = out + gates[..., i : i + 1] * expert(x)
        return out
""",
        "mx.sigmoid(best)[..., None]",
    ),
    "a turn for each place among the chosen": (
        """        weight, chosen = F.softmax(self.router(x), -1).topk(self.top, dim=-1)
        out = torch.zeros_like(x)
        for k in range(self.top):
            for i, expert in enumerate(self.experts):
                mask = chosen[..., k] == i
                if mask.any():
                    out[mask] += expert(x[mask]) * weight[mask][:, k, None]
        return out
""",
        "mx.argpartition",
    ),
}


@pytest.mark.parametrize("way", EXPERT_STYLES)
def test_experts_are_a_switch_layer_however_they_run(way, style, emitted_from):
    forward, expected = EXPERT_STYLES[way]
    folder = style("masked_experts")
    own = folder / "modeling_masked.py"
    text = own.read_text()
    start = text.index("        logits = self.router(x)")
    own.write_text(text[:start] + forward + text[text.index("\n\nclass MaskedBlock") :])
    text = " ".join(emitted_from(folder).split())
    assert "self.switch_mlp = SwitchGLU(" in text
    assert expected in text


def test_experts_of_a_loop_may_have_activations_of_their_own(style, emitted_from):
    folder = style("masked_experts")
    own = folder / "modeling_masked.py"
    own.write_text(own.read_text().replace("F.silu(", "F.gelu("))
    text = emitted_from(folder)
    assert "activation=ExpertActivation()" in " ".join(text.split())
    assert "return nn.gelu(gate) * x" in text


def test_what_only_training_reads_is_no_weight_of_the_port(style, emitted_from):
    folder = style("masked_experts")
    own = folder / "modeling_masked.py"
    text = own.read_text().replace(
        "        self.experts =",
        "        self.noise = nn.Linear(c.n_embd, c.n_expert, bias=False)\n"
        "        self.experts =",
    )
    own.write_text(
        text.replace(
            "        best, chosen =",
            "        if self.training:\n"
            "            logits = logits + torch.randn_like(logits) * self.noise(x)\n"
            "        best, chosen =",
        )
    )
    text = emitted_from(folder)
    assert 'unread = ("mlp.noise.weight",)' in text
    assert "self.noise" not in text


def test_weights_called_as_methods_of_modules_are_items(style, emitted_from):
    folder = style("masked_experts")
    own = folder / "modeling_masked.py"
    text = own.read_text().replace(
        "        self.experts =",
        "        self.keys = nn.Parameter(torch.randn(c.n_expert, c.n_embd) * 0.1)\n"
        "        self.experts =",
    )
    own.write_text(text.replace("self.router(x)", "self.router(x) + x @ self.keys.T"))
    text = emitted_from(folder)
    assert 'self["keys"] = mx.zeros(' in text
    assert 'x @ self["keys"].T' in text


def test_the_order_of_the_best_is_kept_where_it_is_read(style, emitted_from):
    folder = style("masked_experts")
    own = folder / "modeling_masked.py"
    text = own.read_text()
    own.write_text(
        text.replace("return out\n", "return out * best[..., :1].sigmoid()\n", 1)
    )
    assert "mx.argsort(-" in emitted_from(folder)


def test_a_cache_of_the_model_s_own_is_followed(style, emitted_from):
    text = " ".join(emitted_from(style("own_cache")).split())
    assert "CacheList(" in text or "ArraysCache(" in text
    assert 'unused = ("ahead.", "join.")' in text


def test_matrices_in_lists_are_experts_too(style, emitted_from):
    text = " ".join(emitted_from(style("mixed_streams")).split())
    assert "self.switch_mlp = SwitchGLU(" in text
    assert 'lists = (".mlp.w1", ".mlp.w2", ".mlp.w3")' in text
    assert "weights[k] = mx.stack(parts)" in text


def test_a_loop_in_a_layer_turns_as_often_as_it_did(style, emitted_from):
    text = " ".join(emitted_from(style("mixed_streams")).split())
    assert "if self.n_round != 3:" in text


def test_a_head_that_is_the_embedding_s_weight_is_the_embedding(style, emitted_from):
    folder = style("skips")
    shared = folder / "decoding.py"
    text = shared.read_text()
    head = "logits=self.lm_head(h)"
    assert head in text
    text = text.replace(head, "logits=h @ self.transformer.wte.weight.T")
    made = "self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)"
    assert made in text
    text = text.replace(made, "self.lm_head = None")
    shared.write_text(text)
    text = emitted_from(folder)
    assert "return self.transformer.wte.as_linear(out)" in text
    assert "lm_head" not in text


# What mixes tokens in the multilayer perceptrons of "skips", which keep nothing.
MIXED = {
    "tokens that experts choose": (
        "topk()",
        "w, i = self.up(x).mean(-1).softmax(1).topk(max(1, x.shape[1] // 2), dim=1)\n"
        "        w = torch.zeros_like(x[..., 0]).scatter(1, i, w)[..., None]\n"
        "        return w * self.down(self.up(x))",
    ),
    "room by order": (
        "cumsum()",
        "order = (self.up(x)[..., :1] * 0 + 1).cumsum(1)\n"
        "        return self.down(self.up(x)) * (order <= x.shape[1] // 2 + 1)",
    ),
    "the token before": (
        "pad()",
        "return self.down(self.up(F.pad(x, (0, 0, 1, 0))[:, :-1]))",
    ),
}


@pytest.mark.parametrize("way", MIXED)
def test_what_mixes_tokens_and_forgets_them_is_named(way, style, portwright, tmp_path):
    name, forward = MIXED[way]
    folder = style("skips")
    own = folder / "pieces.py"
    text = own.read_text()
    squared = "return self.down(F.relu(self.up(x)).square())"
    assert squared in text
    own.write_text(text.replace(squared, forward))
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast", "--json")
    assert done.returncode == 3, done.stderr
    first = answer(done)["holes"][0]
    assert f"mixes tokens by {name}, and keeps nothing of those before" in (
        first["message"]
    )
    assert first["file"].endswith("pieces.py")


def test_tokens_that_a_model_puts_first_are_named(style, portwright, tmp_path):
    folder = style("skips")
    own = folder / "pieces.py"
    text = own.read_text()
    embedded = "        x = self.wte(ids)\n"
    assert embedded in text
    own.write_text(
        text.replace(
            embedded,
            embedded
            + """        if past == 0:
            x = torch.cat([self.first.expand(b, -1, -1), x], dim=1)
            t, pos, attention_mask = t + 2, None, None
        pos = positions_of(None, past, t, ids.device)
""",
        ).replace(
            "        self.norm = RMSNorm(c.n_embd)\n",
            "        self.norm = RMSNorm(c.n_embd)\n"
            "        self.first = nn.Parameter(torch.randn(2, c.n_embd))\n",
        )
    )
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 3, done.stderr
    assert "the model puts 2 tokens of its own before all" in done.stderr
