"""Prompts of a checkpoint's own tokenizer: plain text, or conversations through its
chat template."""

from .chat import CONVERSATIONS, SWITCHES

_TEXTS = {
    "prose": "The river bends twice before it reaches the old town, and in spring",
    "code": "def area(width, height):\n    return width * height\n\n\ndef volume(",
    "a list": "Primes below thirty: 2, 3, 5, 7, 11, 13,",
    "another language": "Am Morgen lag Schnee auf den D\u00e4chern, und niemand",
}
_LENGTH = 32  # of plain text
_LONGEST = 512
_THINK = "<think>"


def prompts(folder, trust_remote_code=False):
    """[{what, kind, text, ids}], kind "instruct" where the tokenizer has a template,
    else "base"; none where there is no tokenizer."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=trust_remote_code
        )
    except Exception:  # whatever a missing or foreign tokenizer raises
        return []
    template = tokenizer.chat_template
    found = _conversations(tokenizer) if template else _plain(tokenizer)
    kind = "instruct" if template else "base"
    out = []
    known = set()
    for what, ids in found:
        if 1 < len(ids) <= _LONGEST and tuple(ids) not in known:
            known.add(tuple(ids))
            text = tokenizer.decode(ids)
            out.append({"what": what, "kind": kind, "text": text, "ids": ids})
    return out


def _plain(tokenizer):
    for what, text in _TEXTS.items():
        yield what, list(tokenizer(text)["input_ids"])[:_LENGTH]


def _conversations(tokenizer):
    """As an answer to each begins; with reasoning opened, too, where it is known."""
    forced = tokenizer.get_vocab().get(_THINK)
    for number, (what, messages) in enumerate(CONVERSATIONS.items()):
        for switch, options in SWITCHES.items():
            if number and switch:
                continue
            try:
                ids = tokenizer.apply_chat_template(
                    messages, add_generation_prompt=True, return_dict=False, **options
                )
            except Exception:  # a template may refuse what it does not know
                continue
            yield what + switch, list(ids)
            if forced is not None and forced not in ids[-3:]:
                yield what + switch + ", reasoning opened", [*ids, forced]
