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

import numpy as np

from drift_aware.actions.canary import story
from drift_aware.actions.canary.asking import Round
from drift_aware.schema.canaries import CanaryId
from rig.canaries import LEARN, MODELS, WEEK, asked

_HOURS = 48
_OTHER = 1_000_000
_MOST_ROUNDS = 24
_SOON = 3
_SHARES = (0.25, 0.5, 0.75)


def alarmed(which: CanaryId, seed: int) -> bool:
    """Whether a calm week raises an alert."""
    endpoint = asked(which)
    return any(story.is_firing(endpoint.go(found)) for found in islice(MODELS[which](seed), WEEK))


def rounds_until_found(which: CanaryId, seed: int, share: float = 1.0) -> int | None:
    """How many rounds after a swap there is an alert; None if there is none in a day.

    Args:
        which: answers or embedding.
        seed: of what is random.
        share: of the prompts of each round that the other model answers.
    """
    endpoint, random = asked(which), np.random.default_rng(seed)
    before, after = MODELS[which](seed), MODELS[which](seed + _OTHER, "other")
    for found in islice(before, LEARN + seed % _HOURS):
        endpoint.go(found)
    for number in range(1, _MOST_ROUNDS + 1):
        old, new = next(before), next(after)
        answers = {name: (new if random.random() < share else old).answers[name] for name in new.answers}
        if story.is_firing(endpoint.go(Round(answers, new.vectors, new.reported))):
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
    for share in _SHARES:
        found = [rounds_until_found("answers", seed, share) for seed in range(weeks)]
        soon = sum(rounds is not None and rounds <= _SOON for rounds in found)
        day = sum(rounds is not None for rounds in found)
        print(f"{share:.0%} of the prompts: found in {_SOON} rounds {soon}, in a day {day} of {weeks}")


if __name__ == "__main__":
    main()
