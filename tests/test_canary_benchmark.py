"""What the canary's rule does, in small."""

import canary
import pytest

from drift_aware.schema.canaries import CanaryId
from rig.canaries import MODELS


@pytest.mark.parametrize("which", MODELS)
def test_a_swap_is_found_in_the_second_round_and_a_calm_week_is_calm(which: CanaryId) -> None:
    assert canary.rounds_until_found(which, seed=5) == 2
    assert not canary.alarmed(which, seed=5)
