"""Pairs of tensors that a caller keeps, in whatever axes: what `tuple_cache` may say
instead, and what a port makes of it."""

import pytest

KEPT = """        if past_key_value is not None:
            k = torch.cat([past_key_value[0], k], dim=2)
            v = torch.cat([past_key_value[1], v], dim=2)
        present = (k, v) if use_cache else None
"""

# By layout: what is appended, along which axes, and what is read of all.
LAYOUTS = {
    "rows and heads in one axis": (
        "k.reshape(bsz * self.num_kv, q_len, self.head_dim)",
        "v.reshape(bsz * self.num_kv, q_len, self.head_dim)",
        (1, 1),
        "k.view(bsz, self.num_kv, -1, self.head_dim)",
        "v.view(bsz, self.num_kv, -1, self.head_dim)",
    ),
    "and keys with their tokens last": (
        "k.mT.reshape(bsz * self.num_kv, self.head_dim, q_len)",
        "v.reshape(bsz * self.num_kv, q_len, self.head_dim)",
        (2, 1),
        "k.view(bsz, self.num_kv, self.head_dim, -1).mT",
        "v.view(bsz, self.num_kv, -1, self.head_dim)",
    ),
    "heads side by side": (
        "k.transpose(1, 2).reshape(bsz, q_len, self.num_kv * self.head_dim)",
        "v.transpose(1, 2).reshape(bsz, q_len, self.num_kv * self.head_dim)",
        (1, 1),
        "k.view(bsz, k.shape[1], self.num_kv, self.head_dim).transpose(1, 2)",
        "v.view(bsz, v.shape[1], self.num_kv, self.head_dim).transpose(1, 2)",
    ),
}


@pytest.fixture
def pairs(style):
    """The fixture with other statements."""

    def rewrite(*replacements):
        folder = style("tuple_cache")
        own = folder / "modeling_tuple.py"
        text = own.read_text()
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new)
        own.write_text(text)
        return folder

    return rewrite


@pytest.mark.parametrize("layout", LAYOUTS)
def test_keys_of_three_axes_have_heads_in_the_cache(layout, pairs, emitted_from):
    keys, values, (along, values_along), all_keys, all_values = LAYOUTS[layout]
    kept = f"""        k = {keys}
        v = {values}
        if past_key_value is not None:
            k = torch.cat([past_key_value[0], k], dim={along})
            v = torch.cat([past_key_value[1], v], dim={values_along})
        present = (k, v) if use_cache else None
        k = {all_keys}
        v = {all_values}
"""
    folder = pairs(
        (KEPT, kept),
        ("past_key_value[0].shape[-2]", "past_key_value[1].shape[-2]"),
        ("past_key_values[0][0].shape[2]", "past_key_values[0][1].shape[-2]"),
    )
    assert "values = cache.update_and_fetch(" in emitted_from(folder)


def test_a_model_that_says_so_begins_without_a_cache_too(style, pairs, emitted_from):
    says = """
    @classmethod
    def _supports_default_dynamic_cache(cls):
        return False
"""
    after = "\n\nclass TupleModel("
    assert emitted_from(pairs((after, says + after))) == emitted_from(
        style("tuple_cache", "says_nothing")
    )


def test_a_mask_that_is_true_for_hidden_keys_is_mlx_lm_s(pairs, emitted_from):
    added = """            scores = scores + attention_mask
            scores = torch.max(scores, torch.tensor(torch.finfo(scores.dtype).min))
"""
    folder = pairs(
        (
            added,
            "            scores = scores.masked_fill(attention_mask, -torch.inf)\n",
        ),
        (
            "        presents = () if",
            "        mask = mask < 0\n        presents = () if",
        ),
    )
    text = emitted_from(folder)
    assert "mask = create_attention_mask(h, cache[0])" in text
    assert "scaled_dot_product_attention(" in text


def test_configs_that_are_of_no_use_lead_nowhere(pairs, emitted_from):
    known = "            past_length = past_key_values[0][0].shape[2]\n"
    folder = pairs(
        (
            known,
            "            if len(past_key_values) != self.config.n_layer:\n"
            "                raise ValueError('a pair for each layer')\n" + known,
        ),
        (
            "        presents = () if",
            "        past_key_values = past_key_values or [\n"
            "            None for _ in range(self.config.n_layer)\n        ]\n"
            "        presents = () if",
        ),
    )
    assert "range(args.num_hidden_layers)" in emitted_from(folder)


def test_a_mask_of_truths_that_is_added_is_refused(pairs, portwright, tmp_path):
    folder = pairs(
        (
            "        presents = () if",
            "        mask = mask == 0\n        presents = () if",
        )
    )
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 3, done.stderr
    assert "a mask of truths is added to scores, and hides nothing" in done.stderr


HEAD = (
    "        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)\n"
)
NEW_HEAD = """class Head(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes, bias=False)
        self.is_new = True

    def forward(self, x):
        if self.is_new:
            self.is_new = False
            self.weight.data = nn.functional.normalize(self.weight)
        return nn.functional.linear(x, self.weight)


class TupleForCausalLM("""
OWN_HEAD = (
    ("class TupleForCausalLM(", NEW_HEAD),
    (HEAD, "        self.lm_head = Head(config.n_embd, config.vocab_size)\n"),
)


def test_a_weight_that_the_first_forward_normalises_is_so_in_each(pairs, emitted_from):
    assert "mx.linalg.norm(self.weight" in emitted_from(pairs(*OWN_HEAD))


def test_a_weight_that_each_forward_changes_is_refused(pairs, portwright, tmp_path):
    halved = ("nn.functional.normalize(self.weight)", "self.weight * 0.5")
    always = ("            self.is_new = False\n", "")
    folder = pairs(*OWN_HEAD, halved, always)
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 3, done.stderr
    assert "each forward changes the weight 'lm_head.weight'" in done.stderr


@pytest.mark.parametrize(
    "change", ["weight.data *= 0.5", "weight.data = 0.5 * self.lm_head.weight"]
)
def test_a_linear_whose_weight_another_module_changes_is_refused(
    change, pairs, portwright, tmp_path
):
    reads = "        logits = self.lm_head(outputs[0])\n"
    folder = pairs((reads, f"        self.lm_head.{change}\n" + reads))
    done = portwright("compile", folder, "-o", tmp_path / "port.py", "--fast")
    assert done.returncode == 3, done.stderr
    assert "weight" in done.stderr and "lm_head" in done.stderr
