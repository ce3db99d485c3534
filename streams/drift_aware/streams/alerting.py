"""The life of an alert: it opens once, is updated as it grows worse or old, and resolves when the drift ends.

A detector on the false-alarm budget says itself when a drift began and when it is over. For the others, a
part of the threshold is the line that decides: above it a score is rising, and there the change is thought to
have begun; an open alert resolves only after its score has stayed below that line for a whole window. One
that fires again in the same rise goes on under the same id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from drift_aware.schema.alerts import Alert, AlertStatus, Contribution, Reading, Severity, Window, alert_name
from drift_aware.schema.segments import ALL
from drift_aware.streams.contrast import contrast_words
from drift_aware.streams.detectors import Detector, Pane

# So many alerts of one detector are remembered after a later one has opened: they are sent again after a
# crash, and one write seldom holds two.
REMEMBERED = 16
EXAMPLES = 10
_ORDER: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


class Track(msgspec.Struct, omit_defaults=True):
    """What is remembered between the readings of one detector.

    Attributes:
        alert: its latest alert, open or resolved.
        past: those before it, latest last.
        rising_since: event time since when the score has been rising.
        calm_since: event time since when an open alert has been calm.
    """

    alert: Alert | None = None
    past: list[Alert] = []
    rising_since: int | None = None
    calm_since: int | None = None

    @property
    def firing(self) -> bool:
        """Whether its latest alert is open."""
        return self.alert is not None and self.alert.status == "firing"


@dataclass(frozen=True, slots=True)
class Context:
    """What an alert is told about where it happens.

    Attributes:
        segment, family, baseline: names.
        texts: id to words of recent interactions.
        background: words of interactions of the baseline.
    """

    segment: str
    family: str
    baseline: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    background: Sequence[str] = ()


def follow(
    track: Track, context: Context, detector: Detector, reading: Reading, pane: Pane, paging: bool = True
) -> Alert | None:
    """Take note of a reading; the alert if it has just opened, grown worse or resolved.

    Args:
        track: what is remembered; changed.
        context: where this happens.
        detector: what gave the reading; ``reading`` too.
        reading: as above.
        pane: the pane it was shown.
        paging: false if another alert already stands for the same drift.
    """
    if reading.score is None or reading.threshold is None:
        return None  # no data is no news, neither good nor bad
    rising = reading.score > reading.threshold * detector.subject.calm
    if not rising:
        track.rising_since = None
    elif track.rising_since is None:
        track.rising_since = pane.window_start if reading.fired else pane.start
    if track.firing:
        return _continue(track, context, detector, reading, pane, rising)
    if reading.fired:
        return _open(track, context, detector, reading, pane, paging)
    return None


def closed(alert: Alert, ts: int, why: str) -> Alert:
    """The last revision of an alert that is over for another reason than calm."""
    return msgspec.structs.replace(
        alert, revision=alert.revision + 1, status="resolved", ts=ts, summary=f"{alert.summary} {why}"
    )


def _open(
    track: Track, context: Context, detector: Detector, reading: Reading, pane: Pane, paging: bool
) -> Alert:
    onset = _onset(track, reading, pane)
    identity = alert_id(context, detector, onset)
    before, about = track.alert, detector.subject
    if before is not None and before.id != identity:
        track.past = [*track.past, before][-REMEMBERED:]
    track.calm_since = None
    track.alert = Alert(
        id=identity,
        revision=before.revision + 1 if before is not None and before.id == identity else 1,
        severity=_severity(detector, reading),
        kind=about.kind,
        metric=about.metric,
        detector=detector.name,
        channel=reading.channel,
        segment=context.segment,
        baseline=context.baseline,
        onset=onset,
        paging=about.paging and paging,
        suggested_actions=list(about.suggests),
        **_explained(context, detector, reading, pane, onset),
        **_moment(context.segment, "firing", onset, detector, reading, pane),
    )
    return track.alert


def _onset(track: Track, reading: Reading, pane: Pane) -> int:
    if reading.onset is not None:
        return reading.onset
    return track.rising_since if track.rising_since is not None else pane.start


def _continue(
    track: Track, context: Context, detector: Detector, reading: Reading, pane: Pane, rising: bool
) -> Alert | None:
    alert = track.alert
    assert alert is not None
    if rising:
        track.calm_since = None
    elif track.calm_since is None:
        track.calm_since = pane.start
    calm = track.calm_since is not None and track.calm_since <= pane.window_start
    over = not reading.fired if detector.subject.latched else calm
    severity = max(alert.severity, _severity(detector, reading), key=_ORDER.__getitem__)
    if not over and not (reading.fired and (severity != alert.severity or _is_old(alert, pane))):
        return None
    shown = {"contributions": []} if over else _explained(context, detector, reading, pane, alert.onset)
    track.alert = msgspec.structs.replace(
        alert,
        revision=alert.revision + 1,
        severity=alert.severity if over else severity,
        **shown,
        **_moment(alert.segment, "resolved" if over else "firing", alert.onset, detector, reading, pane),
    )
    return track.alert


def _is_old(alert: Alert, pane: Pane) -> bool:
    """Whether an open alert deserves a new revision: its drift has lasted much longer, and a window more."""
    passed = pane.end - alert.ts
    return passed >= max(3 * (alert.ts - alert.onset), pane.end - pane.window_start)


def alert_id(context: Context, detector: Detector, onset: int) -> str:
    """The id that the same drift gets on any machine, after any restart."""
    return alert_name(context.segment, context.family, detector.subject.metric, detector.name, onset)


def at(ms: int) -> str:
    """An event time as a sentence has it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def place(segment: str) -> str:
    """A segment as a sentence has it."""
    return "all traffic" if segment == ALL else segment


def _severity(detector: Detector, reading: Reading) -> Severity:
    assert reading.score is not None
    assert reading.threshold is not None
    strength = reading.score / reading.threshold if reading.strength is None else reading.strength
    if detector.subject.latched and reading.strength is None:
        strength = 0.0  # its score is evidence: how sure, not how large
    warning, critical = detector.subject.severity_steps
    return "critical" if strength > critical else "warning" if strength > warning else "info"


def _explained(
    context: Context, detector: Detector, reading: Reading, pane: Pane, onset: int
) -> dict[str, Any]:
    """What moved, who shows it, and in which words."""
    explanation = detector.explain(pane, pane.since(onset)[1])
    score = reading.score or 0.0
    examples = [example.id for example in explanation.examples]
    texts = [context.texts[name] for name in examples if context.texts.get(name)]
    return {
        "contributions": [Contribution(part.name, part.share * score) for part in explanation.parts],
        "examples": examples[:EXAMPLES],
        "words": contrast_words(texts, context.background),
    }


def _moment(
    segment: str, status: AlertStatus, onset: int, detector: Detector, reading: Reading, pane: Pane
) -> dict[str, Any]:
    """The fields of an alert that a revision brings up to date."""
    begin = pane.window_start if reading.onset is None else pane.since(reading.onset)[0]
    return {
        "status": status,
        "ts": pane.end,
        "current": reading.current or 0.0,
        "baseline_value": reading.baseline_value,
        "score": reading.score,
        "threshold": reading.threshold,
        "evidence": reading.evidence,
        "window": Window(begin, pane.end, reading.events),
        "summary": _sentence(segment, status, onset, detector, reading),
    }


def _sentence(segment: str, status: AlertStatus, onset: int, detector: Detector, reading: Reading) -> str:
    about = detector.subject
    title = about.title[0].upper() + about.title[1:]
    where, since = place(segment), at(onset)
    now = detector.text(reading.current or 0.0)
    was = (
        f", against {detector.text(reading.baseline_value)} in the baseline" if reading.baseline_value else ""
    )
    if status == "resolved" and about.adaptive:
        return f"{title} in {where} has settled at {now}{was}; it had changed since {since}."
    if status == "resolved":
        return f"{title} in {where} is calm again at {now}{was}; it had drifted since {since}."
    sure = f"; by chance alone {_seldom(reading.evidence)}" if reading.evidence is not None else ""
    return f"{title} in {where} is at {now}{was}, since {since}, over {reading.events:,} {about.noun}{sure}."


def _seldom(days: float) -> str:
    """How seldom chance alone brings the like, in words.

    >>> _seldom(0.5), _seldom(45.0), _seldom(3700.0)
    ('less than once in 12 hours', 'less than once in 45 days', 'less than once in 10 years')
    """
    if days < 2:
        return f"less than once in {max(days * 24, 0.01):.3g} hours"
    years = days / 365.25
    return (
        f"less than once in {days:.0f} days"
        if years < 2
        else f"less than once in {min(years, 1000):.0f} years"
    )
