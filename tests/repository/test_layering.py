"""Dependencies between stages are what CMake links; includes keep to them."""

import re

import pytest
from repository.files import CPP, ROOT, name, under

STAGES = {path.parent.name: path for path in (ROOT / "src").glob("*/CMakeLists.txt")}


def links(stage):
    """The stages that a stage's CMakeLists.txt links."""
    text = re.sub(r"#.*", "", STAGES[stage].read_text())
    if "pw_${stage}" in text:
        return set(STAGES) - {stage}  # the command line links whatever there is
    return set(re.findall(r"\bpw_(\w+)", text)) - {stage}


def reach(stage):
    """The stages that a stage links, directly or through others."""
    seen, todo = set(), [stage]
    while todo:
        for linked in links(todo.pop()) - seen:
            seen.add(linked)
            todo += [linked] if linked in STAGES else []
    return seen


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_includes_keep_to_what_is_linked(stage):
    allowed = reach(stage) | {stage}
    wrong = []
    for path in under(f"src/{stage}", suffixes=CPP):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            included = re.match(r'#include "(\w+)/', line)
            if included and included[1] not in allowed:
                wrong.append(f"{name(path)}:{number}: {line}")
    assert not wrong, f"{stage} links {sorted(allowed)}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_what_a_stage_links_exists(stage):
    assert links(stage) <= set(STAGES)


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_no_stage_depends_on_itself(stage):
    assert stage not in reach(stage)


def test_every_stage_is_in_the_architecture_page():
    text = (ROOT / "docs" / "architecture.md").read_text()
    missing = [stage for stage in STAGES if f"`{stage}`" not in text]
    assert not missing
