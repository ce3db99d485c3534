"""What others do about embeddings, each by its usual statistic and the threshold usually published with it.

Restated on numpy arrays, so that many streams can be scored at once; only ADWIN is the package itself.
"""

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

from detect.clinc import Sample
from detect.protocol import Contender, Floats, Ints, Runner, Stream

# ADWIN has a confidence, not a score. An alarm at delta counts as a score of -log10(delta). On distances it
# is so cautious that an ARL of 20,000 takes a delta near one, or beyond, where it is no confidence any more.
DEFAULT_DELTA = 0.002
_DELTAS = (
    2.0, 1.6, 1.3, 1.1, 0.9, 0.75, 0.6, 0.45, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, DEFAULT_DELTA, 1e-3,
    3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7, 1e-7, 1e-8, 1e-9, 1e-10,
)  # fmt: skip
_PRIMED = 3_000
_TINY = 1e-4
_BLOCK = 512

Vectors = NDArray[np.float32]


def panes_of(values: Floats | Vectors, pane: int) -> Floats:
    """Sums over whole panes of so many events, shape (n // pane, ...), of values of shape (n, ...)."""
    whole = len(values) // pane
    parts = values[: whole * pane].reshape(whole, pane, *values.shape[1:])
    return np.asarray(parts.sum(axis=1, dtype=np.float64))


def windows_of(values: Floats | Vectors, pane: int, window: int) -> Floats:
    """Sums over the last ``window`` events at the end of each pane from the first full window on."""
    sums = np.cumsum(panes_of(values, pane), axis=0)
    width = window // pane
    return np.asarray(sums[width - 1 :] - np.concatenate([np.zeros_like(sums[:1]), sums[:-width]]))


def padded(scores: Floats, panes: int) -> Floats:
    """Scores of the last panes; the panes before them, whose window is not full, have none."""
    return np.concatenate([np.full(panes - len(scores), -np.inf), scores])[-panes:]


class Windowed:
    """A statistic of the mean over a sliding window, or several and the largest of them."""

    def __init__(self, features: Floats | Vectors, pane: int, window: int) -> None:
        self._features, self._pane, self._window = features, pane, window

    def scores(self, stream: Stream) -> Floats:
        """See ``Runner``."""
        panes = len(stream.events) // self._pane
        if panes * self._pane < self._window:
            return np.full(panes, -np.inf)
        sums = windows_of(self._features[stream.events], self._pane, self._window)
        return padded(self.statistic(sums / self._window), panes)

    def statistic(self, means: Floats) -> Floats:
        """Of the means of windows, shape (n, ...)."""
        raise NotImplementedError


class Centroid:
    """Cosine distance between the mean of a sliding window and the reference's mean."""

    threshold: float | None = 0.1
    tuned = True

    def __init__(self, window: int, pane: int) -> None:
        self.name = f"centroid cosine, window {window}"
        self._window, self._pane = window, pane

    def prepare(self, shown: Sample) -> Runner:
        """See ``Contender``."""
        return _Cosine(shown, self._pane, self._window)


class _Cosine(Windowed):
    def __init__(self, shown: Sample, pane: int, window: int) -> None:
        super().__init__(shown.pool.unit, pane, window)
        self._direction = _direction(shown)

    def statistic(self, means: Floats) -> Floats:
        cosine: Floats = means @ self._direction / np.linalg.norm(means, axis=1)
        return 1 - cosine


class BinnedDistances:
    """PSI or KL of the binned cosine distances to the reference's mean, in bins of equal reference counts."""

    tuned = True

    def __init__(self, kind: str, bins: int, threshold: float, window: int, pane: int) -> None:
        self.name = f"{kind} of distances, {bins} bins, window {window}"
        self.threshold: float | None = threshold
        self._kind, self._bins, self._window, self._pane = kind, bins, window, pane

    def prepare(self, shown: Sample) -> Runner:
        """See ``Contender``."""
        distances = _distances(shown)
        inner = np.linspace(0, 1, self._bins + 1)[1:-1]
        bins = np.searchsorted(np.quantile(distances[shown.places], inner), distances)
        return Divergence(bins, bins[shown.places], self._bins, self._kind, self._pane, self._window)


class Divergence(Windowed):
    """PSI or KL between the bins of a window and of a reference.

    Args:
        bins: of all values, shape (n,); ``seen`` of the reference's.
        seen: as above.
        number: how many bins there are.
        kind: ``PSI`` or ``KL``.
        pane: events of a pane; ``window`` events of the window.
        window: as above.
    """

    def __init__(self, bins: Ints, seen: Ints, number: int, kind: str, pane: int, window: int) -> None:
        super().__init__(np.eye(number, dtype=np.float32)[bins], pane, window)
        self._then = np.bincount(seen, minlength=number) / len(seen) + _TINY
        self._kind = kind

    def statistic(self, means: Floats) -> Floats:
        """See ``Windowed``."""
        now = means + _TINY
        weights = now - self._then if self._kind == "PSI" else now
        divergence: Floats = (weights * np.log(now / self._then)).sum(axis=1)
        return divergence


class Reconstruction:
    """Error of reconstruction from the principal components with 65 % of the variance, as NannyML has it."""

    name = "PCA reconstruction error, window 500"
    threshold: float | None = 3.0
    tuned = True
    _window, _variance = 500, 0.65

    def __init__(self, pane: int) -> None:
        self._pane = pane

    def prepare(self, shown: Sample) -> Runner:
        """See ``Contender``."""
        seen = shown.pool.unit[shown.places].astype(np.float64)
        spread = seen.std(axis=0)
        spread[spread < 1e-9] = 1
        _, lengths, axes = np.linalg.svd((seen - seen.mean(axis=0)) / spread, full_matrices=False)
        kept = int(np.searchsorted(np.cumsum(lengths**2) / np.square(lengths).sum(), self._variance)) + 1
        every = ((shown.pool.unit - seen.mean(axis=0)) / spread).astype(np.float32)
        lost = np.square(every).sum(axis=1) - np.square(every @ axes[:kept].T.astype(np.float32)).sum(axis=1)
        errors = np.sqrt(np.maximum(lost, 0)).astype(np.float64)
        return _Deviation(errors, shown.places, self._pane, self._window)


class _Deviation(Windowed):
    """How far the mean of a window is from the reference's, in standard errors of a window."""

    def __init__(self, values: Floats, places: Ints, pane: int, window: int) -> None:
        super().__init__(values, pane, window)
        self._mean, self._error = values[places].mean(), values[places].std() / np.sqrt(window)

    def statistic(self, means: Floats) -> Floats:
        return np.asarray(np.abs(means - self._mean) / self._error)


class MMD:
    """The squared maximum mean discrepancy of a sliding window to the reference, in a Gaussian kernel.

    The statistic of alibi-detect's ``MMDDriftOnline``, restated: its window is filled from the reference at
    the start, the kernel's width is the median distance. Its own thresholds come from simulation, so it is
    shown tuned only.
    """

    threshold: float | None = None
    tuned = True

    def __init__(self, window: int, pane: int) -> None:
        self.name = f"MMD online (restated), window {window}"
        self._window, self._pane = window, pane

    def prepare(self, shown: Sample) -> Runner:
        """See ``Contender``."""
        return _Discrepancy(shown, self._window, self._pane)


class _Discrepancy:
    def __init__(self, shown: Sample, window: int, pane: int) -> None:
        self._unit, self._window, self._pane = shown.pool.unit, window, pane
        order = np.random.default_rng(0).permutation(shown.places)
        self._filling, kept = order[:window], self._unit[order[window:]]
        sample = kept[:2000]
        self._width = float(np.median(np.maximum(0, 2 - 2 * sample @ sample.T)))
        inside = self._kernel(kept @ kept.T)
        self._within = (inside.sum() - len(kept)) / (len(kept) * (len(kept) - 1))
        blocks = range(0, len(self._unit), 4 * _BLOCK)
        means = [self._kernel(self._unit[at : at + 4 * _BLOCK] @ kept.T).mean(axis=1) for at in blocks]
        self._to_reference = np.concatenate(means).astype(np.float64)

    def scores(self, stream: Stream) -> Floats:
        events, window = np.concatenate([self._filling, stream.events]), self._window
        pairs, lost = self._neighbours(events)
        # Pairs inside the window that ends with an event: those made so far, less those with an end outside.
        ends = np.arange(window, len(events))
        inside = np.cumsum(pairs)[ends] - np.concatenate([[0.0], np.cumsum(lost)])[ends - window + 1]
        crossed = np.concatenate([[0.0], np.cumsum(self._to_reference[events])])
        crossing = (crossed[ends + 1] - crossed[ends + 1 - window]) / window
        every = self._within + 2 * inside / (window * (window - 1)) - 2 * crossing
        return np.asarray(every[self._pane - 1 :: self._pane])

    def _neighbours(self, events: Ints) -> tuple[Floats, Floats]:
        """Of each event the kernel's sums with the window - 1 events before it, and after it."""
        reach, size = self._window - 1, len(events)
        before, after = np.zeros(size), np.zeros(size)
        for start in range(0, size, _BLOCK):
            first = max(0, start - reach)
            rows, columns = np.arange(start, min(start + _BLOCK, size)), np.arange(first, start + _BLOCK)
            columns = columns[columns < size]
            kernel = self._kernel(self._unit[events[rows]] @ self._unit[events[columns]].T)
            gap = rows[:, None] - columns[None, :]
            kernel = np.where((gap > 0) & (gap <= reach), kernel, 0)
            before[rows] += kernel.sum(axis=1)
            after[columns] += kernel.sum(axis=0)
        return before, after

    def _kernel(self, products: Vectors) -> Vectors:
        kernel: Vectors = np.exp(-np.maximum(0, 2 - 2 * products) / self._width)
        return kernel


class AdwinOnDistances:
    """River's ADWIN on the cosine distance to the reference's mean, first shown the reference's last ones."""

    name = "River ADWIN on distances"
    threshold: float | None = float(-np.log10(DEFAULT_DELTA))
    tuned = True

    def __init__(self, pane: int) -> None:
        self._pane = pane

    def prepare(self, shown: Sample) -> Runner:
        """See ``Contender``."""
        distances = _distances(shown)
        return AdwinRunner(distances, distances[shown.places], self._pane)


class AdwinRunner:
    """River's ADWIN, once for each of several confidences.

    Args:
        values: what an event counts as, by its number, shape (n,).
        seen: what it is shown first; alarms there are passed over.
        pane: events of a pane.
    """

    def __init__(self, values: Floats, seen: Floats, pane: int) -> None:
        self._values, self._seen, self._pane = values, seen[-_PRIMED:].tolist(), pane

    def scores(self, stream: Stream) -> Floats:
        """See ``Runner``."""
        values = self._values[stream.events].tolist()
        scores = np.full(len(values) // self._pane, -np.inf)
        end = len(values)
        for delta in _DELTAS:  # ever more cautious: none alarms much before the last one did
            at = self._alarm(values[:end], delta)
            if at is not None:
                scores[at // self._pane :] = -np.log10(delta)
        return scores

    def _alarm(self, values: list[float], delta: float) -> int | None:
        adwin = ADWIN(delta=delta)
        for value in self._seen:
            adwin.update(value)
        for place, value in enumerate(values):
            adwin.update(value)
            if adwin.drift_detected:
                return place
        return None


def peers(pane: int, quick: bool = False) -> list[Contender[Sample]]:
    """The others; fewer of them in a quick run."""
    some: list[Contender[Sample]] = [
        Centroid(100, pane),
        Centroid(500, pane),
        BinnedDistances("PSI", 10, 0.2, 500, pane),
        BinnedDistances("KL", 50, 0.1, 500, pane),
        Reconstruction(pane),
    ]
    return some if quick else [*some, AdwinOnDistances(pane), MMD(100, pane)]


def _direction(shown: Sample) -> Floats:
    mean = shown.pool.unit[shown.places].mean(axis=0, dtype=np.float64)
    direction: Floats = mean / np.linalg.norm(mean)
    return direction


def _distances(shown: Sample) -> Floats:
    distances: Floats = 1 - shown.pool.unit.astype(np.float64) @ _direction(shown)
    return distances
