"""Rotary parameters of every type, as configs give them."""

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def longrope(pairs, **more):
    return {
        "rope_type": "longrope",
        "short_factor": [1 + 0.05 * i for i in range(pairs)],
        "long_factor": [2 + 0.3 * i for i in range(pairs)],
        "original_max_position_embeddings": 32,
        **more,
    }


def cases(pairs):
    """By name: one set of parameters for a rope of so many pairs."""
    return {
        "default": {"rope_type": "default"},
        "linear": {"rope_type": "linear", "factor": 3.0},
        "llama3": LLAMA3,
        "yarn": YARN,
        "yarn with its length by default": {"rope_type": "yarn", "factor": 4.0},
        "yarn not truncated": {**YARN, "truncate": False},
        "yarn with all options": {
            **YARN,
            "attention_factor": 1.3,
            "beta_fast": 16,
            "beta_slow": 2,
        },
        "yarn with mscale": {**YARN, "mscale": 0.707, "mscale_all_dim": 0.5},
        "yarn with half of mscale": {**YARN, "mscale": 0.707},
        "longrope": longrope(pairs),
        "longrope with a factor": longrope(pairs, attention_factor=1.1),
        "dynamic": {"rope_type": "dynamic", "factor": 2.0},
    }


def nested(config, parameters):
    """The config as transformers 5 writes it."""
    old = config.pop("rope_parameters")
    kept = {k: old[k] for k in ("rope_theta", "partial_rotary_factor") if k in old}
    return {**config, "rope_parameters": {**kept, **parameters}}


def flat(config, parameters):
    """The config as transformers 4 wrote it: `type`, and nothing when default."""
    old = config.pop("rope_parameters")
    kept = {k: old[k] for k in ("rope_theta", "partial_rotary_factor") if k in old}
    scaling = {"type": parameters["rope_type"], **parameters}
    del scaling["rope_type"]
    default = scaling["type"] == "default"
    return {**config, **kept, "rope_scaling": None if default else scaling}


def by_kind(config, parameters):
    """The set for full attention; the other kinds keep theirs."""
    sets = config["rope_parameters"]
    theta = sets["full_attention"]["rope_theta"]
    full = {"rope_theta": theta, **parameters}
    return {**config, "rope_parameters": {**sets, "full_attention": full}}
