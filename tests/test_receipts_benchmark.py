"""What receipts say of actions whose truth is known, in small."""

from collections import Counter

import receipts

ACTIONS = 60


def test_harm_is_recognised_and_so_is_help() -> None:
    found = list(receipts.cases(ACTIONS, seed=4))
    verdicts = Counter((case.truth, case.verdict) for case in found)
    assert verdicts["harmful", "helped"] == 0
    assert verdicts["harmful", "harmed"] >= ACTIONS - 1
    assert verdicts["helpful", "helped"] >= 0.9 * ACTIONS
    assert verdicts["neutral", "helped"] <= 1
    assert "| harmful | 60 |" in receipts.table(found)
