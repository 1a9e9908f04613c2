"""bench/one_load.py holds the same checks of both ways against each other."""

import one_load  # bench/, which conftest.py adds to the path
import pytest


@pytest.fixture
def answers(monkeypatch):
    """What each run was asked; `statuses` is what its checks end as."""
    asked = []
    statuses = {"weights": "pass", "logits": "warn", "routing": "skipped"}

    def verify(*arguments):
        _, _, checks = " ".join(arguments).partition("--checks ")
        checks = checks.split() or list(statuses)
        asked.append(checks)
        return (2.0, 1.0), {name: statuses[name] for name in checks}

    monkeypatch.setattr(one_load, "verify", verify)
    return asked, statuses


def test_what_is_skipped_counts_for_neither_way(answers):
    asked, _ = answers
    checks, together, apart = one_load.measure([], [])
    assert checks == ["weights", "logits"]
    assert (together, apart) == ([2.0, 1.0], [4.0, 2.0])
    whole, alone = ["weights", "logits"], [["weights"], ["logits"]]
    assert [run for run in asked[1:] if run != whole] == alone


def test_a_check_that_ends_otherwise_by_itself_is_no_measurement(answers):
    _, statuses = answers
    with pytest.raises(SystemExit, match="weights is fail in the run of all"):
        one_load.alone([], "weights", "fail")
    assert statuses["weights"] == "pass"
