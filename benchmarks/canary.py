"""What the canary's rule does in calm weeks and after swaps, on a simulated clock.

    python benchmarks/canary.py [--weeks 1000]

What is asked, compared and decided is the product's own; only the endpoints are simulated: an embedder whose
vectors jitter by 1e-5 to 1e-4, all strings of a round alike, and a model that answers three of twelve prompts
otherwise in three of ten rounds. A swap comes at any hour of two days after what was learned.
"""

import argparse
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from drift_aware.actions.canary import story
from drift_aware.schema.canaries import CanaryId
from rig.canaries import LEARN, MODELS, WEEK, asked

_HOURS = 48
_OTHER = 1_000_000
_MOST_ROUNDS = 24


def alarmed(which: CanaryId, seed: int) -> bool:
    """Whether a calm week raises an alert."""
    endpoint = asked(which)
    return any(story.is_firing(endpoint.go(found)) for found in islice(MODELS[which](seed), WEEK))


def rounds_until_found(which: CanaryId, seed: int) -> int | None:
    """How many rounds after a swap there is an alert; None if there is none in a day."""
    endpoint = asked(which)
    for found in islice(MODELS[which](seed), LEARN + seed % _HOURS):
        endpoint.go(found)
    other = MODELS[which](seed + _OTHER, "other")
    for number in range(1, _MOST_ROUNDS + 1):
        if story.is_firing(endpoint.go(next(other))):
            return number
    return None


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weeks", type=int, default=1000)
    weeks = parser.parse_args().weeks
    for which in MODELS:
        alarms = sum(alarmed(which, seed) for seed in range(weeks))
        delays = Counter(rounds_until_found(which, seed) for seed in range(weeks))
        print(f"{which}: {alarms} of {weeks} calm weeks alarm; rounds until a swap is found: {dict(delays)}")


if __name__ == "__main__":
    main()
