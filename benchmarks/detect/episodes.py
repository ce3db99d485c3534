"""Real drifts: how many pages one makes, when it is said to be over, and how long it takes to be found."""

from collections.abc import Iterator

import msgspec
import numpy as np

from detect.fleet import MONTH_MS, Fleet, Page, Watched, summary_of
from detect.traffic import DAY_MS, RATES, Tally, draw, zipf

HOUR_MS = 3_600_000
# The rate that drifts: 3 %.
DRIFTING = RATES.index(0.03)


class LifeCase(msgspec.Struct, frozen=True, tag="life"):
    """One rate of one segment that drifts again and again.

    Attributes:
        factor: what the rate is multiplied by in an episode.
        monitors: among how many the budget of one false page per 30 days is divided.
        events_per_day: of the segment.
        episodes: how many; each begins after ``calm_days`` and lasts ``drift_days``.
    """

    factor: float
    monitors: int
    seed: int
    events_per_day: float = 20_000.0
    episodes: int = 6
    calm_days: int = 15
    drift_days: int = 5
    pane_ms: int = 900_000


class Episode(msgspec.Struct):
    """What was said of one drift, in hours from its beginning or its end.

    An alarm that was open when the drift began is not counted as having found it.

    Attributes:
        pages: while it lasted.
        found: hours to the first page; None if there was none.
        resolved_early: how often it was said to be over while it lasted.
        resolved: hours from the end until it was said to be over.
        unresolved: its alarm is still open.
        calm_pages: after the end, before the next; of the first drift also before it.
    """

    pages: int = 0
    found: float | None = None
    resolved_early: int = 0
    resolved: float | None = None
    unresolved: bool = False
    calm_pages: int = 0


class MoveCase(msgspec.Struct, frozen=True, tag="move"):
    """A fleet where the 3 % of some segments become 4.5 %, after two calm weeks.

    Attributes:
        moved: place of the segment that moves, the busiest first; None if all do.
        events_per_day: of all segments together.
        days: how long is waited for a page after the change.
    """

    moved: int | None
    events_per_day: float
    seed: int
    segments: int = 100
    factor: float = 1.5
    learning_days: int = 14
    days: int = 30

    @property
    def moved_per_day(self) -> float:
        """Events per day of the segment that moves; of all if all do."""
        return self.events_per_day * (1.0 if self.moved is None else float(zipf(self.segments)[self.moved]))


def life_of(case: LifeCase) -> list[Episode]:
    """Watch the episodes one after another."""
    rng = np.random.default_rng(case.seed)
    watched = Watched("customer=0", MONTH_MS, hourly=False, chosen=[DRIFTING])
    episodes = [Episode() for _ in range(case.episodes)]
    calm, period = case.calm_days * DAY_MS, (case.calm_days + case.drift_days) * DAY_MS
    fired = False
    for start in range(0, case.episodes * period + calm, case.pane_ms):
        episode, since = episodes[max(0, (start - calm) // period)], (start - calm) % period
        drifting = start >= calm and since < period - calm
        rate = RATES[DRIFTING] * (case.factor if drifting else 1.0)
        events = rng.poisson(case.events_per_day * case.pane_ms / DAY_MS, 1)
        hits = np.zeros(len(RATES), np.int64)
        hits[DRIFTING] = rng.binomial(events[0], rate)
        end = start + case.pane_ms
        watched.update(start, end, summary_of(int(events[0]), hits), end * len(RATES) / case.monitors)
        before, fired = fired, watched.fired[DRIFTING]
        hours = (since + case.pane_ms) / HOUR_MS
        if drifting:
            _note_drifting(episode, before, fired, hours)
        else:
            _note_calm(episode, before, fired, hours - case.drift_days * 24)
    return episodes


def _note_drifting(episode: Episode, before: bool, fired: bool, hours: float) -> None:
    if fired and not before:
        episode.pages, episode.unresolved = episode.pages + 1, True
        episode.found = hours if episode.found is None else episode.found
    elif before and not fired and episode.unresolved:
        episode.resolved_early, episode.unresolved = episode.resolved_early + 1, False


def _note_calm(episode: Episode, before: bool, fired: bool, hours: float) -> None:
    episode.calm_pages += fired and not before
    if before and not fired and episode.unresolved:
        episode.resolved, episode.unresolved = hours, False


def delays_of(case: MoveCase) -> dict[str, float | None]:
    """Hours from the change to the first page about the rate, of each segment that moved and of ``all``.

    None if there was no page in time. Whoever was in alarm when the rate moved is left out.
    """
    moved = list(range(case.segments)) if case.moved is None else [case.moved]
    fleet = Fleet(case.segments, 1.0, hourly=False, watched=moved, metrics=[DRIFTING])
    change = case.learning_days * DAY_MS
    delays: dict[str, float | None] = {}
    for tally in _moving(case, moved):
        pages = fleet.update(tally)
        if tally.end == change:
            delays = {each.segment: None for each in _all(fleet) if not each.fired[DRIFTING]}
        elif tally.start >= change:
            _note_pages(delays, pages, change)
        if delays and None not in delays.values():
            break
    return delays


def _all(fleet: Fleet) -> list[Watched]:
    return [fleet.all, *fleet.segments.values()]


def _note_pages(delays: dict[str, float | None], pages: list[Page], change: int) -> None:
    for page in pages:
        if page.segment in delays and delays[page.segment] is None:
            delays[page.segment] = (page.end - change) / HOUR_MS


def _moving(case: MoveCase, moved: list[int]) -> Iterator[Tally]:
    """Panes of an hour, but of five minutes on the two days after the change."""
    rng = np.random.default_rng(case.seed)
    change = case.learning_days * DAY_MS
    fine = range(change, change + 2 * DAY_MS, HOUR_MS // 12)
    rest = range(change + 2 * DAY_MS, change + case.days * DAY_MS, HOUR_MS)
    shares = zipf(case.segments) * case.events_per_day / DAY_MS
    for panes in (range(0, change, HOUR_MS), fine, rest):
        for start in panes:
            rates = np.tile(np.array(RATES), (case.segments, 1))
            if start >= change:
                rates[moved, DRIFTING] *= case.factor
            events, hits = draw(rng, shares * panes.step, rates, "every event")
            yield Tally(start, start + panes.step, events, hits)
