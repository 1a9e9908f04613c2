"""A checkpoint with a tokenizer is judged on text: plain for a base model, through the
chat template for an instruct model."""

import json

import pytest

from .conftest import check_of

PLAIN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}<|bot|>"
THINKING = PLAIN + "{% if enable_thinking is defined %}<think>{% endif %}"


def train(folder, template):
    """A tokenizer of merges learned from a few lines, in place of the bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=["<|end|>", "<|user|>", "<|bot|>", "<think>", "</think>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(["the river and the town"] * 9, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>"}
    if template:
        config["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "template, kind, expected",
    [
        (None, "base", {"prose", "code", "a list", "another language"}),
        (PLAIN, "instruct", {"one question", "a second question"}),
        (
            THINKING,
            "instruct",
            {
                "one question",
                "one question, reasoning opened",
            },
        ),
    ],
    ids=["base", "instruct", "thinking"],
)
def test_prompts_are_text_of_the_checkpoint(
    template, kind, expected, portwright, copied, hand_written, tmp_path
):
    checkpoint = copied("qwen3")
    train(checkpoint, template)
    port = tmp_path / "port.py"
    port.write_text(hand_written("qwen3"))
    done = portwright(
        *("verify", checkpoint, "--port", port, "--checks", "logits,generation"),
        *("--json", "-o", tmp_path / "out"),
    )
    results = json.loads(done.stdout)
    found = check_of(results, "generation")
    assert found["status"] == "pass", found
    assert ("conversations" in found["reason"]) == (kind == "instruct")
    run = next((tmp_path / "out").glob("results/*/*/run.json"))
    (texts,) = json.loads(run.read_text())["texts"].values()
    assert {t["kind"] for t in texts} == {kind}
    assert expected <= {t["what"] for t in texts}
    assert all(t["ids"] and t["text"] for t in texts)
    if template:
        assert all("<|user|>" in t["text"] for t in texts)


def test_a_bug_that_only_text_shows_is_found(verify, copied, hand_written, tmp_path):
    """One token's embedding is lost: the prompt of spread tokens does not have it."""
    checkpoint = copied("qwen3")
    train(checkpoint, None)
    text = hand_written("qwen3")
    line = "h = self.embed_tokens(inputs)"
    assert line in text
    ids = json.loads((checkpoint / "tokenizer.json").read_text())["model"]["vocab"]
    lost = f"{line} * (inputs != {ids['Ġriver']})[..., None]"
    port = tmp_path / "port.py"
    port.write_text(text.replace(line, lost))
    found = check_of(verify(checkpoint, port, ["logits"]), "logits")
    assert found["status"] == "fail", found
    assert "logits of the text" in found["reason"]
