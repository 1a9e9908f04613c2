"""The documents name what there is."""

import re

import pytest
from repository.files import ROOT, name, tracked

PAGES = [path for path in tracked() if path.suffix == ".md"]
PAGES = [path for path in PAGES if path.parent == ROOT or "docs" in path.parts]


def test_the_readme_lists_every_verb():
    table = (ROOT / "src" / "cli" / "verbs.h").read_text()
    verbs = re.findall(r'^ *X\((\w+), "', table, re.M)
    readme = (ROOT / "README.md").read_text()
    assert verbs
    assert not [verb for verb in verbs if not re.search(rf"`{verb}\b", readme)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert not [target for target in targets if not (page.parent / target).exists()]
