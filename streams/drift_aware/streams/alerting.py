"""The life of an alert: it opens once, is updated when it grows worse, and resolves after calm.

Half-way between the score of the baseline and the threshold lies the line that decides: above it a score is
rising, and there the change is thought to have begun; an open alert resolves only after its score has stayed
below that line for a whole window. One that fires again in the same rise goes on under the same id.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from drift_aware.schema.alerts import Alert, AlertStatus, Reading, Severity, Window
from drift_aware.schema.segments import ALL
from drift_aware.streams.detectors import Detector, Pane

# So many alerts of one detector are remembered after a later one has opened: they are sent again after a
# crash, and one write seldom holds two.
REMEMBERED = 16
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


def follow(track: Track, segment: str, detector: Detector, reading: Reading, pane: Pane) -> Alert | None:
    """Take note of a reading; the alert if it has just opened, grown worse or resolved."""
    if reading.score is None or reading.threshold is None:
        return None  # no data is no news, neither good nor bad
    rising = reading.score > (min(detector.rest(reading), reading.threshold) + reading.threshold) / 2
    if not rising:
        track.rising_since = None
    elif track.rising_since is None:
        track.rising_since = pane.window_start if reading.fired else pane.start
    strength = reading.score / reading.threshold
    if track.alert is not None and track.alert.status == "firing":
        return _continue(track, detector, reading, pane, rising, strength)
    if reading.fired:
        return _open(track, segment, detector, reading, pane, strength)
    return None


def _open(
    track: Track, segment: str, detector: Detector, reading: Reading, pane: Pane, strength: float
) -> Alert:
    onset = track.rising_since if track.rising_since is not None else pane.start
    identity = alert_id(segment, detector, reading, onset)
    before = track.alert
    about = detector.subject
    if before is not None and before.id != identity:
        track.past = [*track.past, before][-REMEMBERED:]
    track.calm_since = None
    track.alert = Alert(
        id=identity,
        revision=before.revision + 1 if before is not None and before.id == identity else 1,
        severity=_severity(detector, strength),
        kind=about.kind,
        metric=about.metric,
        detector=detector.name,
        channel=reading.channel,
        segment=segment,
        onset=onset,
        paging=about.paging,
        suggested_actions=list(about.suggests),
        **_moment(segment, "firing", onset, detector, reading, pane),
    )
    return track.alert


def _continue(
    track: Track, detector: Detector, reading: Reading, pane: Pane, rising: bool, strength: float
) -> Alert | None:
    alert = track.alert
    assert alert is not None
    if rising:
        track.calm_since = None
    elif track.calm_since is None:
        track.calm_since = pane.start
    over = track.calm_since is not None and track.calm_since <= pane.window_start
    severity = max(alert.severity, _severity(detector, strength), key=_ORDER.__getitem__)
    if not over and (severity == alert.severity or not reading.fired):
        return None
    status: AlertStatus = "resolved" if over else "firing"
    track.alert = msgspec.structs.replace(
        alert,
        revision=alert.revision + 1,
        severity=alert.severity if over else severity,
        **_moment(alert.segment, status, alert.onset, detector, reading, pane),
    )
    return track.alert


def alert_id(segment: str, detector: Detector, reading: Reading, onset: int) -> str:
    """The id that the same drift gets on any machine, after any restart."""
    parts = (segment, detector.subject.metric, detector.name, reading.channel or "", str(onset))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:24]


def _severity(detector: Detector, strength: float) -> Severity:
    warning, critical = detector.subject.severity_steps
    return "critical" if strength > critical else "warning" if strength > warning else "info"


def _moment(
    segment: str, status: AlertStatus, onset: int, detector: Detector, reading: Reading, pane: Pane
) -> dict[str, Any]:
    """The fields of an alert that a revision brings up to date."""
    return {
        "status": status,
        "ts": pane.end,
        "current": reading.current,
        "baseline_value": reading.baseline_value,
        "score": reading.score,
        "threshold": reading.threshold,
        "window": Window(pane.window_start, pane.end, reading.events),
        "summary": _sentence(segment, status, onset, detector, reading),
    }


def _sentence(segment: str, status: AlertStatus, onset: int, detector: Detector, reading: Reading) -> str:
    about = detector.subject
    title = about.title[0].upper() + about.title[1:]
    where = "all traffic" if segment == ALL else segment
    since = datetime.fromtimestamp(onset / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    now = detector.text(reading.current or 0.0)
    was = (
        f", against {detector.text(reading.baseline_value)} in the baseline" if reading.baseline_value else ""
    )
    if status == "resolved" and about.adaptive:
        return f"{title} in {where} has settled at {now}{was}; it had changed since {since}."
    if status == "resolved":
        return f"{title} in {where} is calm again at {now}{was}; it had drifted since {since}."
    return f"{title} in {where} is at {now}{was}, since {since}, over {reading.events:,} {about.noun}."
