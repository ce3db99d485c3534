"""What a message tells, whatever the channel: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from drift_aware.schema.alerts import Action, Alert, Severity
from drift_aware.schema.segments import ALL

SEVERITIES: Sequence[Severity] = ("info", "warning", "critical")
HEADINGS = ("segment", "metric", "before", "now", "events", "since")
# Of the alerts that one message shows in its table; the worst come first.
MAX_ROWS = 12
# Metrics that are a share of events, and are read as percentages.
_SHARES = ("_rate", "accuracy", "task_success")
# What has become of an action, where that is news.
_NEWS: Mapping[str, str] = {
    "proposed": "proposed",
    "approved": "approved",
    "rejected": "rejected",
    "expired": "expired without an answer",
    "succeeded": "done",
    "failed": "failed",
    "unknown": "needs somebody to look whether it was done",
    "verified": "verified",
    "rolled_back": "taken back",
}


def family(alert: Alert) -> str:
    """What drift an alert is about, whatever the segment and the detector.

    The share of toxic answers and their mean toxicity are one drift, so their alerts make one message.
    """
    return alert.metric.removesuffix("_rate")


@dataclass(frozen=True)
class Story:
    """One drift, as far as it is known.

    Attributes:
        lead: id of the alert that came first; the message is known by it.
        alerts: of the drift, each at its latest revision; at least one.
        actions: what they have led to, besides messages.
        page_url: where people find alerts and actions.
        withheld: summaries of what the channel's limit kept back since the last message.
        test: whether it is made up.
    """

    lead: str
    alerts: Sequence[Alert]
    actions: Sequence[Action] = ()
    page_url: str | None = None
    withheld: Sequence[str] = ()
    test: bool = False

    @property
    def over(self) -> bool:
        """Whether no alert is firing any more."""
        return all(alert.status != "firing" for alert in self.alerts)

    @property
    def status(self) -> str:
        """``firing``, ``resolved``, or ``retracted`` if nothing was left of it."""
        if not self.over:
            return "firing"
        return "retracted" if all(alert.status == "retracted" for alert in self.alerts) else "resolved"

    @property
    def severity(self) -> Severity:
        """That of the most serious alert which fires; once it is over, that of all."""
        return max((alert.severity for alert in self._live), key=SEVERITIES.index)

    @property
    def head(self) -> Alert:
        """The alert that stands for the drift: the most serious, and of these the one about all traffic."""
        return self.sorted[0]

    @property
    def sorted(self) -> list[Alert]:
        """The alerts, the most telling first; always in the same order."""
        live = {alert.id for alert in self._live}

        def rank(alert: Alert) -> tuple[bool, int, bool, str, str]:
            seriousness = -SEVERITIES.index(alert.severity)
            return alert.id not in live, seriousness, alert.segment != ALL, alert.segment, alert.id

        return sorted(self.alerts, key=rank)

    @property
    def _live(self) -> Sequence[Alert]:
        return [alert for alert in self.alerts if alert.status == "firing"] or self.alerts

    @property
    def title(self) -> str:
        """One line of plain text."""
        head = self.head
        mark = self.severity if not self.over else self.status
        more = len(self.alerts) - 1
        also = "" if not more else f" (and {more} more {'alert' if more == 1 else 'alerts'})"
        test = "Test: " if self.test else ""
        return one_line(f"{test}[{mark}] {head.metric} in {head.segment}{also}")

    @property
    def summary(self) -> str:
        """What has happened, in words."""
        return one_line(self.head.summary)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table of metrics, without its HEADINGS."""
        return [_row(alert) for alert in self.sorted[:MAX_ROWS]]

    @property
    def news(self) -> list[str]:
        """What has become of the actions, and of alerts that the table leaves out."""
        told = [self._told(action) for action in self.actions if action.status in _NEWS]
        if (left_out := len(self.alerts) - MAX_ROWS) > 0:
            told.append(f"{left_out} more alerts of the same drift")
        return told

    @property
    def kept_back(self) -> str | None:
        """What the channel's limit has withheld, in a sentence."""
        if not self.withheld:
            return None
        shown = "; ".join(self.withheld[:5])
        more = f"; and {len(self.withheld) - 5} more" if len(self.withheld) > 5 else ""
        return f"Not told because of this channel's limit: {shown}{more}."

    @property
    def links(self) -> list[tuple[str, str]]:
        """Words and addresses: of the alert, and of each action that waits for an answer."""
        if self.page_url is None:
            return []
        base = self.page_url.rstrip("/")
        waiting = [action for action in self.actions if action.status == "proposed"]
        return [
            ("Open the alert", f"{base}/#/alerts/{self.head.id}"),
            *((f"Approve: {self._name(action)}", f"{base}/#/actions/{action.id}") for action in waiting),
        ]

    def _name(self, action: Action) -> str:
        """What an action is called; where there are several segments, with its own."""
        several = len({alert.segment for alert in self.alerts}) > 1
        return one_line(f"{action.action} of {action.segment}" if several else action.action)

    def _told(self, action: Action) -> str:
        dry = " (dry run)" if action.dry_run else ""
        return clip(one_line(f"{self._name(action)}{dry}: {_NEWS[action.status]}{_outcome(action)}"), 400)

    def weighty(self) -> list[object]:
        """What is worth another message where one cannot be changed: two that are equal tell the same."""
        alerts = sorted([alert.id, alert.status, alert.severity] for alert in self.alerts)
        done = {"succeeded", "failed", "unknown", "verified", "rolled_back"}
        actions = sorted([action.id, action.status] for action in self.actions if action.status in done)
        return [alerts, actions]

    def everything(self) -> list[object]:
        """The same where a message can be changed, so that numbers count too."""
        alerts = sorted([alert.id, alert.revision] for alert in self.alerts)
        return [alerts, sorted([action.id, action.revision] for action in self.actions)]

    def values(self) -> dict[str, str]:
        """What a template may name."""
        head = self.head
        return {
            "title": self.title,
            "summary": self.summary,
            "severity": self.severity,
            "status": self.status,
            "metric": head.metric,
            "segment": head.segment,
            "before": number(head.metric, head.baseline_value),
            "now": number(head.metric, head.current),
            "events": str(head.window.events),
            "since": utc(head.onset),
            "alert_id": self.lead,
            "alert_url": self.links[0][1] if self.links else "",
            "news": "\n".join(self.news),
            "withheld": self.kept_back or "",
        }


def number(metric: str, value: float | None) -> str:
    """A value of a metric as people read it.

    >>> number("refusal_rate", 0.125), number("latency_ms", 1234.5), number("feedback", None)
    ('12.5 %', '1234', '-')
    """
    if value is None:
        return "-"
    return f"{100 * value:.3g} %" if metric.endswith(_SHARES) else f"{value:.4g}"


def utc(milliseconds: int) -> str:
    """A time as people read it; the number itself if it is none."""
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)


def one_line(text: str) -> str:
    """The text without line breaks and control characters, which could pass for parts of a message."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def clip(text: str, limit: int) -> str:
    """At most so many characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _row(alert: Alert) -> tuple[str, ...]:
    over = "" if alert.status == "firing" else f" ({alert.status})"
    return (
        clip(one_line(alert.segment), 60) + over,
        one_line(alert.metric),
        number(alert.metric, alert.baseline_value),
        number(alert.metric, alert.current),
        str(alert.window.events),
        utc(alert.onset),
    )


def _outcome(action: Action) -> str:
    receipt = action.receipt or {}
    if action.status in ("failed", "unknown"):
        return f": {action.reason}"
    if action.status != "verified" or "verdict" not in receipt:
        return ""
    if receipt.get("before") is None or receipt.get("after") is None:
        return f", {receipt['verdict']}"
    before, after = _shown(action, receipt["before"]), _shown(action, receipt["after"])
    return f", {receipt['verdict']}: {action.metric} {before} → {after}"


def _shown(action: Action, value: object) -> str:
    return number(action.metric, value) if isinstance(value, int | float) else str(value)
