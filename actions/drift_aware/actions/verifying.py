"""Looks after what was carried out: has it helped? The verdict is the action's receipt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid5

import msgspec
import structlog

from drift_aware.actions import answers, ledger
from drift_aware.actions.carrying import Carrier
from drift_aware.actions.effects import expected_change
from drift_aware.actions.errors import ActionFailed, OutOfTurn
from drift_aware.actions.executor import Executor
from drift_aware.actions.following import PARTS, Period, Series, event_time, follow
from drift_aware.actions.leases import claimant
from drift_aware.actions.ledger import Entry, Receipt
from drift_aware.actions.policy import Decision
from drift_aware.actions.rounds import Rounds
from drift_aware.actions.steps import UNDO
from drift_aware.actions.trial import Answer, Question, Verdict, at_last, judge, summed
from drift_aware.schema.alerts import ActionKind, Alert, Effect
from drift_aware.schema.segments import ALL
from drift_aware.schema.settings import Settings
from drift_aware.sql import store
from drift_aware.sql.cells import moment
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# Never changed: the same harm must lead to the same note on any machine and in any release.
_NOTES = UUID("d3c1f0a7-7a0e-5d7b-9a55-0e6c5b1f7a42")
_MINUTE_MS = 60_000
# A look every minute, or more often where panes are so short that a minute is long.
_MOST_PAUSE_SECONDS, _PANES = 60.0, 6.0

# Who takes back what has harmed.
_NAME = "the rules"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of an action's effect by now.

    Attributes:
        verdict: ``undecided yet`` while it is too early.
        change: by how much the metric was to move.
        since: when the action was over; ``until`` the panes are known up to here, milliseconds.
    """

    verdict: Verdict
    answer: Answer
    metric: str
    change: float
    since: int
    until: int

    @property
    def receipt(self) -> Receipt:
        """For the ledger; times as RFC 3339."""
        answer = self.answer
        return {
            "metric": self.metric,
            "before": answer.before,
            "after": answer.after,
            "after_low": answer.low,
            "after_high": answer.high,
            "expected": None if answer.before is None else answer.before + self.change,
            "events_before": answer.events_before,
            "events": answer.events,
            "e_value": answer.e_harmed if self.verdict == "harmed" else answer.e_helped,
            "since": moment(self.since).isoformat(),
            "until": moment(self.until).isoformat(),
        }

    @property
    def sentence(self) -> str:
        """The verdict with its numbers."""
        answer = self.answer
        if answer.before is None or answer.after is None:
            return f"{self.verdict}: nothing was seen of {self.metric}"
        return f"{self.verdict}: {self.metric} {answer.before:.4g} before, {answer.after:.4g} after"


def examine(connection: Connection, entry: Entry) -> Finding | None:
    """What the record says of an action that was carried out; None where nothing was expected of it.

    Args:
        connection: to the record.
        entry: which; its steps are over.
    """
    effect, alert = entry.action.expected, entry.alert
    ended = [step.ended_at for step in entry.steps if step.ended_at is not None and step.step != UNDO]
    if effect is None or alert is None or not ended:
        return None
    since = round(max(ended).timestamp() * 1000)
    # What it may take counts from here: the alert may be days old.
    allowed = max(effect.by - alert.ts, _MINUTE_MS)
    reached = event_time(connection, ALL) or event_time(connection, alert.segment) or since
    period = Period(alert.onset, alert.ts, since, max(since, min(reached, since + allowed)))
    series = follow(connection, alert.segment, effect.metric, period, allowed // PARTS)
    change = _change(effect, alert, series)
    question = Question(change or effect.target - effect.current, series.rate, since)
    answer = judge(question, series.before, series.after if change else [])
    verdict = at_last(question, answer) if reached >= since + allowed else answer.verdict
    return Finding(verdict, answer, effect.metric, question.change, since, period.until)


def _change(effect: Effect, alert: Alert, series: Series) -> float | None:
    """By how much the metric is to move, in the unit of the series; None if that cannot be said."""
    before, calm = summed(series.before).mean, summed(series.calm).mean
    if before is None or alert.baseline_value is None or alert.current == alert.baseline_value:
        return None
    if alert.kind != "embedding":
        return expected_change(effect, alert.baseline_value, before)
    # Alerts speak of the distance of a mean, the series of the mean distance.
    part = (effect.target - effect.current) / (alert.baseline_value - alert.current)
    return part * (calm - before) or None if calm is not None else None


class Verifier(Rounds):
    """Gives the verdicts that are due, and takes back what has harmed if it may.

    Args:
        settings: all of them.
        executors: by kind, to take actions back with.
    """

    def __init__(self, settings: Settings, executors: Mapping[ActionKind, Executor]) -> None:
        connect = partial(store.connect, settings.require_database_url(), "act verify")
        super().__init__("act verify", connect, min(_MOST_PAUSE_SECONDS, _PANES * settings.pane_seconds))
        self._settings, self._executors = settings.actions, executors

    def once(self, connection: Connection, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Look at every action whose verdict is open; see ``Rounds``."""
        for (action_id,) in connection.execute(QUERIES["open_verdicts"]).fetchall():
            if stopping():
                break
            entry = ledger.find(connection, action_id)
            finding = examine(connection, entry)
            if finding is not None and finding.verdict != "undecided yet":
                self._conclude(connection, entry, finding)
        for (action_id,) in connection.execute(QUERIES["to_roll_back"], {"undo": UNDO}).fetchall():
            if stopping() or self._settings.dry_run:
                break
            self._roll_back(connection, ledger.find(connection, action_id))
        return False

    def _conclude(self, connection: Connection, entry: Entry, finding: Finding) -> None:
        assert finding.verdict != "undecided yet"
        action, harmed = entry.action, finding.verdict == "harmed"
        # In the receipt, so that it is done after a crash, and not to what was judged under another setting.
        automatic = harmed and self._settings.auto_rollback
        try:
            with connection.transaction():
                receipt = {**finding.receipt, "rollback": "automatic" if automatic else None}
                answers.verify(connection, action.id, finding.verdict, receipt)
                if harmed:
                    note, decision = harm(entry, finding, automatic=automatic)
                    ledger.claim(connection, note, decision, dry_run=self._settings.dry_run)
        except OutOfTurn as error:
            log.info("verdict not entered", id=action.id, why=str(error))
            return
        log.info("action verified", action=action.action, id=action.id, verdict=finding.sentence)

    def _roll_back(self, connection: Connection, entry: Entry) -> None:
        kind, action_id = entry.action.action, entry.action.id
        if kind not in self._executors:
            log.error("nothing installed takes it back", action=kind, id=action_id)
            return
        mine = claimant(ledger.me(), kind, self._settings)
        carrier = Carrier(self._executors[kind], mine, self._settings, connection, self._connect)
        try:
            mine.take_back(connection, action_id)
            log.info("action rolled back", action=kind, id=action_id, done=carrier.undo(action_id, _NAME))
        except (ActionFailed, OutOfTurn) as error:
            log.error("not rolled back", action=kind, id=action_id, why=str(error))


def harm(entry: Entry, finding: Finding, *, automatic: bool) -> tuple[Alert, Decision]:
    """A note in the form of an alert that an action has harmed, and the message that tells of it."""
    action, answer = entry.action, finding.answer
    assert entry.alert is not None
    assert answer.after is not None
    what = "it is rolled back" if automatic else f"roll it back: drift-aware actions rollback {action.id}"
    summary = f"{action.action} has {finding.sentence}; {what}"
    note = msgspec.structs.replace(
        entry.alert,
        id=str(uuid5(_NOTES, action.id)),
        revision=1,
        severity="critical",
        detector="receipt",
        channel=None,
        onset=finding.since,
        ts=finding.until,
        current=answer.after,
        baseline_value=answer.before,
        score=answer.e_harmed,
        summary=summary,
        suggested_actions=[],
    )
    return note, Decision("notify", "proposed", summary, auto=True)
