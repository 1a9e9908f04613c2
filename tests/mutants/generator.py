"""Draws architectures that nobody has written, from real ones."""

import copy
import random
from dataclasses import dataclass, field

from .architecture import Architecture, NotHere
from .operators import SEMANTIC, STYLE

BASES = (
    "llama qwen3 gemma2 olmo2 cohere phi3 gpt_neox granite starcoder2 mixtral qwen3_moe "
    "olmoe glm4_moe deepseek_v3 gpt_oss mamba2 qwen3_next lfm2 jamba bamba"
).split()


@dataclass
class Mutant:
    """One architecture: its base, and the operators applied in turn.

    `effects` are the relative changes of torch's logits by each operator; `arch` is
    the result.
    """

    name: str
    kind: str
    seed: object
    arch: Architecture
    operators: list = field(default_factory=list)
    effects: list = field(default_factory=list)


def start(name, kind, seed, config):
    arch = Architecture(kind)
    arch.base_config = config
    return Mutant(name, kind, seed, arch)


def changed(mutant, operator):
    """The architecture with one more operator. Raises NotHere."""
    arch = mutant.arch
    out = copy.deepcopy(arch)
    dice = random.Random(f"{mutant.seed} {operator}")
    (SEMANTIC.get(operator) or STYLE[operator])(out, dice)
    return out


def grow(mutant, operator, step, judge):
    """Takes the step where torch shows what the operator claims."""
    effect = judge(step, operator in STYLE)
    if effect is None:
        return False
    mutant.arch = step
    mutant.operators.append(operator)
    mutant.effects.append(effect)
    return True


def draw(number, seed, config_of, judge):
    """The `number`th mutant of a seed; `config_of(kind)` gives a kind's tiny config.

    `judge(arch, keeps)` answers by how much the logits changed, and None where that
    is not what the operator claims (`keeps`: not at all) or torch does not take it.
    """
    dice = random.Random(f"mutant {seed} {number}")
    kind = BASES[number % len(BASES)]
    mutant = start(f"mutant_{seed}_{number}", kind, f"{seed}.{number}", config_of(kind))
    judge(mutant.arch, None)
    for operators, wanted in (
        (SEMANTIC, dice.choice([2, 2, 3, 4])),
        (STYLE, dice.choice([0, 1, 2])),
    ):
        left = dice.sample(sorted(operators), len(operators))
        while wanted and left:
            operator = left.pop()
            try:
                step = changed(mutant, operator)
            except NotHere:
                continue
            wanted -= grow(mutant, operator, step, judge)
    return mutant


def made(name, kind, operators, config, judge, seed=0):
    """A mutant of named operators."""
    mutant = start(name, kind, seed, config)
    judge(mutant.arch, None)
    for operator in operators:
        if not grow(mutant, operator, changed(mutant, operator), judge):
            raise NotHere(f"{operator} does not do in torch what it claims")
    return mutant
