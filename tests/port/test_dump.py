"""What `compile --dump` tells of the stages before the file."""

import json
import re

import pytest


def dump(portwright, checkpoint, kind, stage):
    done = portwright("compile", checkpoint(kind), "--dump", stage, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[stage]


def test_lifted_names_the_idioms_of_every_layer(portwright, checkpoint):
    text = dump(portwright, checkpoint, "mixtral", "lifted")
    layers = len(re.findall(r"layers\.\d+: MixtralDecoderLayer\(", text))
    assert layers > 1
    for idiom, each in {
        r" = rope\(%\d+, dims=\d+, halves,": 2,
        r" = cache\.update\(": 1,
        r" = attention\(%\d+, %\d+, %\d+, scale=[\d.]+, mask=%\d+": 1,
        r"input_layernorm: .* = rms_norm of \d+, eps ": 1,
        r" = \d+ experts, \d+ -> \d+, swiglu ": 1,
        r"q_proj: Linear\(.* = x W\^T ": 1,
    }.items():
        assert len(re.findall(idiom, text)) == each * layers, idiom


def test_lifted_leaves_out_what_idioms_cover(portwright, checkpoint):
    text = dump(portwright, checkpoint, "llama", "lifted")
    for covered in ["= softmax(", "= neg(", "= rsqrt("]:
        assert covered not in text


def test_lifted_keeps_operations_that_no_idiom_covers(portwright, checkpoint):
    text = dump(portwright, checkpoint, "granite", "lifted")
    assert re.search(r"= mul\(%\d+, other=[\d.]+{config\.residual_multiplier}", text)


@pytest.mark.parametrize(
    "stage, text",
    [("ast", "name='LlamaAttention'"), ("trace", "= rsqrt(")],
)
def test_the_stages_before_it(portwright, checkpoint, stage, text):
    assert text in dump(portwright, checkpoint, "llama", stage)


def test_either_a_file_or_a_dump(portwright, checkpoint):
    for options in [[], ["-o", "x.py", "--dump", "ast"]]:
        done = portwright("compile", checkpoint("llama"), *options)
        assert done.returncode == 2
        assert "either -o or --dump" in done.stderr
