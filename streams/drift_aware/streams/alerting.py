"""The life of an alert: it opens once, is updated when it grows worse, and resolves after calm.

Half-way between the score of the baseline and the threshold lies the line that decides: above it a score is
rising, and there the change is thought to have begun; an open alert resolves only after its score has stayed
below that line for a whole window. One that fires again in the same rise goes on under the same id.
"""

import hashlib
from datetime import UTC, datetime

import msgspec

from drift_aware.schema.alerts import Alert, Reading, Severity, Window
from drift_aware.streams.detectors import Detector, Pane

_ORDER: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


class Track(msgspec.Struct, omit_defaults=True):
    """What is remembered between the readings of one detector.

    Attributes:
        alert: its latest alert, open or resolved.
        rising_since: event time since when the score has been rising.
        calm_since: event time since when an open alert has been calm.
    """

    alert: Alert | None = None
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
    revision = before.revision + 1 if before is not None and before.id == identity else 1
    about = detector.subject
    track.calm_since = None
    track.alert = _described(
        Alert(
            id=identity,
            revision=revision,
            status="firing",
            severity=_severity(detector, strength),
            kind=about.kind,
            metric=about.metric,
            detector=detector.name,
            channel=reading.channel,
            segment=segment,
            onset=onset,
            ts=pane.end,
            current=0.0,
            baseline_value=None,
            score=0.0,
            threshold=0.0,
            window=Window(0, 0, 0),
            summary="",
            paging=about.paging,
            suggested_actions=list(about.suggests),
        ),
        detector,
        reading,
        pane,
    )
    return track.alert


def _continue(
    track: Track, detector: Detector, reading: Reading, pane: Pane, rising: bool, strength: float
) -> Alert | None:
    alert = track.alert
    assert alert is not None
    severity = max(alert.severity, _severity(detector, strength), key=_ORDER.__getitem__)
    if rising:
        track.calm_since = None
    elif track.calm_since is None:
        track.calm_since = pane.start
    if track.calm_since is not None and pane.end - track.calm_since >= pane.end - pane.window_start:
        changed = msgspec.structs.replace(alert, status="resolved")
    elif severity != alert.severity and reading.fired:
        changed = msgspec.structs.replace(alert, severity=severity)
    else:
        return None
    changed.revision += 1
    track.alert = _described(changed, detector, reading, pane)
    return track.alert


def alert_id(segment: str, detector: Detector, reading: Reading, onset: int) -> str:
    """The id that the same drift gets on any machine, after any restart."""
    parts = (segment, detector.subject.metric, detector.name, reading.channel or "", str(onset))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:24]


def _severity(detector: Detector, strength: float) -> Severity:
    warning, critical = detector.subject.severity_steps
    return "critical" if strength > critical else "warning" if strength > warning else "info"


def _described(alert: Alert, detector: Detector, reading: Reading, pane: Pane) -> Alert:
    """The alert with the numbers of this moment and its sentence."""
    assert reading.current is not None
    assert reading.score is not None
    assert reading.threshold is not None
    return msgspec.structs.replace(
        alert,
        ts=pane.end,
        current=reading.current,
        baseline_value=reading.baseline_value,
        score=reading.score,
        threshold=reading.threshold,
        window=Window(pane.window_start, pane.end, reading.events),
        summary=_sentence(alert, detector, reading),
    )


def _sentence(alert: Alert, detector: Detector, reading: Reading) -> str:
    about = detector.subject
    where = "all traffic" if alert.segment == "all" else alert.segment
    since = datetime.fromtimestamp(alert.onset / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    assert reading.current is not None
    now = detector.text(reading.current)
    was = (
        f", against {detector.text(reading.baseline_value)} in the baseline" if reading.baseline_value else ""
    )
    title = about.title[0].upper() + about.title[1:]
    if alert.status == "resolved" and about.adaptive:
        return f"{title} in {where} has settled at {now}{was}; it had changed since {since}."
    if alert.status == "resolved":
        return f"{title} in {where} is calm again at {now}{was}; it had drifted since {since}."
    return f"{title} in {where} is at {now}{was}, since {since}, over {reading.events:,} {about.noun}."
