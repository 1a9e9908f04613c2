"""Conversations as a checkpoint's template renders them, on either side."""

CONVERSATIONS = {
    "one question": [{"role": "user", "content": "Why is the sky blue?"}],
    "a system prompt": [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "Why is the sky blue?"},
    ],
    "a second question": [
        {"role": "user", "content": "One and one?"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "And one more?"},
    ],
    "an answer with reasoning": [
        {"role": "user", "content": "One and one?"},
        {"role": "assistant", "content": "<think>\nAdd them.\n</think>\n\nTwo."},
        {"role": "user", "content": "And one more?"},
    ],
}
SWITCHES = {
    "": {},
    ", thinking switched on": {"enable_thinking": True},
    ", thinking switched off": {"enable_thinking": False},
}


def rendered(tokenizer):
    """{what: ids}, or {what: the error} where the template refuses."""
    out = {}
    for what, messages in CONVERSATIONS.items():
        for switch, options in SWITCHES.items():
            try:
                ids = tokenizer.apply_chat_template(
                    messages, add_generation_prompt=True, return_dict=False, **options
                )
            except Exception as error:
                ids = f"{type(error).__name__}: {error}"
            out[what + switch] = ids
    return out


def _stops(*given):
    out = set()
    for ids in given:
        out |= set(ids if isinstance(ids, (list, tuple, set)) else [ids])
    return sorted(out - {None})


def of_transformers(folder):
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.chat_template:
        return {"template": ""}
    try:
        stops = GenerationConfig.from_pretrained(folder).eos_token_id
    except OSError:
        stops = tokenizer.eos_token_id
    template = tokenizer.chat_template
    return {
        "template": template if isinstance(template, str) else str(template),
        "rendered": rendered(tokenizer),
        "stops": _stops(stops),
    }


def of_mlx_lm(folder):
    """Also whether reasoning is known, and told apart from the answer."""
    from mlx_lm import utils

    config = utils.load_config(folder)
    tokenizer = utils.load_tokenizer(folder, eos_token_ids=config.get("eos_token_id"))
    apart = None
    if tokenizer.has_thinking:
        said = f"{tokenizer.think_start}\nAdd.\n{tokenizer.think_end}Two."
        ids = tokenizer.encode(said, add_special_tokens=False)
        end = tokenizer.rfind_think_end(ids)
        behind = ids[end + len(tokenizer.think_end_tokens) :] if end >= 0 else []
        begins = tokenizer.find_think_start(ids) == 0
        apart = begins and tokenizer.decode(behind).strip() == "Two."
    return {
        "rendered": rendered(tokenizer),
        "stops": _stops(tokenizer.eos_token_ids),
        "thinking": tokenizer.has_thinking,
        "apart": apart,
    }
