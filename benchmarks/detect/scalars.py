"""Rates and ratings: simulated streams of bins, and what others do about them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from detect.peers import DEFAULT_DELTA, AdwinRunner, Divergence, padded, windows_of
from detect.protocol import Contender, Floats, Ints, Runner, Stream
from drift_aware.streams.measures import FEEDBACK, REFUSAL_RATE, TOXICITY_RATE, Metric

BASELINE = 10_000
CALM_BEFORE = 1_000
_JITTER = 100
HORIZON = 5_000
# Most people give five stars, and more give one than two: a mean of 4.2.
_RATINGS = np.array([0.06, 0.04, 0.10, 0.24, 0.56])
_POLARISED = np.array([0.12, 0.05, 0.02, 0.13, 0.68])
_STARS = np.arange(1.0, 6.0)


@dataclass(frozen=True)
class Scalar:
    """One metric.

    Attributes:
        metric: the product's own.
        calm: probabilities of the bins; of a rate: no, yes.
        changes: the same after each change.
        values: what the bins stand for.
    """

    metric: Metric
    calm: Floats
    changes: Mapping[str, Floats]
    values: Floats


@dataclass(frozen=True)
class Shown:
    """A baseline: its bins, shape (n,), of a scalar."""

    scalar: Scalar
    bins: Ints


def with_mean(shares: Floats, mean: float) -> Floats:
    """Ratings moved to another mean with as little change as can be: weights times exp(theta star).

    >>> round(float(with_mean(_RATINGS, 3.9) @ _STARS), 6)
    3.9
    """
    low, high = -5.0, 5.0
    for _ in range(60):
        theta = (low + high) / 2
        moved = shares * np.exp(theta * _STARS)
        moved /= moved.sum()
        low, high = (theta, high) if moved @ _STARS < mean else (low, theta)
    result: Floats = moved
    return result


def _rate(metric: Metric, calm: float, changes: Mapping[str, float]) -> Scalar:
    after = {name: np.array([1 - share, share]) for name, share in changes.items()}
    return Scalar(metric, np.array([1 - calm, calm]), after, np.array([0.0, 1.0]))


SCALARS = {
    "refusals": _rate(REFUSAL_RATE, 0.03, {"3 → 6 %": 0.06, "3 → 12 %": 0.12, "3 → 4.5 %": 0.045}),
    "toxicity": _rate(TOXICITY_RATE, 0.005, {"0.5 → 2 %": 0.02}),
    "ratings": Scalar(
        FEEDBACK,
        _RATINGS,
        {
            "4.2 → 3.9": with_mean(_RATINGS, 3.9),
            "4.2 → 3.5": with_mean(_RATINGS, 3.5),
            "polarised": _POLARISED,
        },
        _STARS,
    ),
}


def baseline(scalar: Scalar, rng: np.random.Generator) -> Shown:
    """What a contender is shown."""
    return Shown(scalar, _draw(rng, scalar.calm, BASELINE))


def calm(scalar: Scalar, rng: np.random.Generator, size: int) -> Stream:
    """A stream in which nothing changes."""
    return Stream(_draw(rng, scalar.calm, size))


def changing(scalar: Scalar, rng: np.random.Generator, change: str) -> Stream:
    """A stream that is calm at first, and then not."""
    before = CALM_BEFORE + int(rng.integers(_JITTER))
    parts = [_draw(rng, scalar.calm, before), _draw(rng, scalar.changes[change], HORIZON)]
    return Stream(np.concatenate(parts), change=before)


def _draw(rng: np.random.Generator, shares: Floats, size: int) -> Ints:
    return rng.choice(len(shares), size=size, p=shares)


class Adwin:
    """River's ADWIN on the values themselves, first shown the baseline's last ones."""

    name = "River ADWIN"
    threshold: float | None = float(-np.log10(DEFAULT_DELTA))
    tuned = True

    def __init__(self, pane: int) -> None:
        self._pane = pane

    def prepare(self, shown: Shown) -> Runner:
        """See ``Contender``."""
        values = shown.scalar.values
        return AdwinRunner(values, values[shown.bins], self._pane)


class StabilityIndex:
    """The population stability index of the last 500 values, an alarm at 0.2."""

    name = "PSI, window 500"
    threshold: float | None = 0.2
    tuned = True
    _window = 500

    def __init__(self, pane: int) -> None:
        self._pane = pane

    def prepare(self, shown: Shown) -> Runner:
        """See ``Contender``."""
        number = len(shown.scalar.values)
        return Divergence(np.arange(number), shown.bins, number, "PSI", self._pane, self._window)


class TwoWindows:
    """The last 100 and the last 500 values against the baseline, the smaller p-value of the two.

    Fisher's exact test, one-sided, for a rate, as in alibi-detect's ``FETDriftOnline``; a two-sided z-test of
    the mean for ratings.
    """

    name = "two windows, 100 and 500 (restated)"
    threshold: float | None = None
    tuned = True

    def __init__(self, pane: int) -> None:
        self._pane = pane

    def prepare(self, shown: Shown) -> Runner:
        """See ``Contender``."""
        return _Tests(shown, self._pane)


class _Tests:
    _windows = (100, 500)

    def __init__(self, shown: Shown, pane: int) -> None:
        self._values, self._pane = shown.scalar.values, pane
        seen = self._values[shown.bins]
        self._mean, self._spread, self._size = seen.mean(), seen.std(), len(seen)
        tested = self._windows if len(self._values) == 2 else ()
        self._logs = {window: self._fisher(int(seen.sum()), window) for window in tested}

    def scores(self, stream: Stream) -> Floats:
        values, panes = self._values[stream.events], len(stream.events) // self._pane
        found = [self._score(windows_of(values, self._pane, window), window) for window in self._windows]
        return np.asarray(np.max([padded(scores, panes) for scores in found], axis=0))

    def _score(self, sums: Floats, window: int) -> Floats:
        if self._logs:
            return self._logs[window][np.rint(sums).astype(np.int64)]
        error = self._spread * np.sqrt(1 / window + 1 / self._size)
        z = np.abs(sums / window - self._mean) / error
        return np.asarray(-(np.log(2) + stats.norm.logsf(z)) / np.log(10))

    def _fisher(self, hits: int, window: int) -> Floats:
        """By the hits in a window, -log10 of the chance of as many or more."""
        now = np.arange(window + 1)
        chance = stats.hypergeom.logsf(now - 1, self._size + window, hits + now, window)
        return np.asarray(-chance / np.log(10))


def peers(pane: int) -> list[Contender[Shown]]:
    """The others."""
    return [Adwin(pane), StabilityIndex(pane), TwoWindows(pane)]
