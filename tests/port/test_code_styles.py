"""Source in other words than transformers': what is recognised does not hang on how it
is written."""

from pathlib import Path

import pytest

OWN_CODE = Path(__file__).parents[1] / "library" / "remote_code"


@pytest.mark.parametrize(
    "name", ["complex_rotation", "parallel_streams", "uneven_layers"]
)
def test_it_computes_what_torch_does(name, proven_with_own_code):
    proven_with_own_code(OWN_CODE / name)


# Quantization does not reach matrices of three axes.
@pytest.mark.parametrize("name", ["bare_parameters", "one_hot_experts"])
def test_it_computes_what_torch_does_with_reservations(name, proven_with_own_code):
    proven_with_own_code(OWN_CODE / name, verdict="warn")


def test_attention_is_fused_whatever_it_is_written_with(emitted_from):
    text = emitted_from(OWN_CODE / "complex_rotation")
    assert "mask = create_attention_mask(h, cache[0])" in text
    assert "scaled_dot_product_attention(" in text
    assert "einsum" not in text
    assert "traditional=True" in text


def test_sizes_of_bare_weights_are_fields(emitted_from):
    text = emitted_from(OWN_CODE / "bare_parameters")
    assert "mx.zeros((args.n_embd, args.n_head, args.n_embd // args.n_head))" in text
    assert "einsum" not in text


def test_numbers_by_layer_are_read_from_lists(emitted_from):
    text = emitted_from(OWN_CODE / "uneven_layers")
    assert "self.nq = heads[layer_idx]" in text
    assert "initialize_rope(hd, base=args.theta" in text


def test_a_norm_without_eps_has_that_of_float32(emitted_from):
    text = emitted_from(OWN_CODE / "parallel_streams")
    assert "eps=1.1920928955078125e-07" in text
