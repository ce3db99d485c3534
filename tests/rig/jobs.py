"""Jobs for executors, and a way to carry them out as the contract of executors says, without a ledger."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from drift_aware.actions.errors import Unknown
from drift_aware.actions.executor import Executor, Job
from drift_aware.schema.alerts import Action, ActionKind, Alert
from drift_aware.sql import store
from rig_events import alert

TRIES = 3


@dataclass
class Bill:
    """What was reserved and booked, US dollars."""

    reserved: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    booked: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def spend(self, usd: float, what: str) -> None:
        self.reserved[what] += usd

    def spent(self, usd: float, what: str) -> None:
        self.booked[what] += usd


def make_job(
    database_url: str, kind: ActionKind = "tune", bill: Bill | None = None, about: Alert | None = None
) -> Job:
    """A job for an alert."""
    about = about or alert()
    bill = bill or Bill()
    action = Action(
        id="action-1",
        revision=3,
        action=kind,
        status="running",
        alert_id=about.id,
        segment=about.segment,
        metric=about.metric,
        severity=about.severity,
        ts=about.ts,
        dry_run=False,
        reason="because",
    )
    return Job(
        action=action,
        alert=about,
        results={},
        connect=lambda: store.connect(database_url, "test"),
        spend=bill.spend,
        spent=bill.spent,
        progress=lambda *_: None,
    )


def with_results(job: Job, /, **results: dict[str, Any]) -> Job:
    return replace(job, results={**job.results, **results})


def carry(executor: Executor, job: Job, *, crash_after: str | None = None) -> Job:
    """The job with the results of all steps.

    Args:
        executor: of the job.
        job: from where it goes on.
        crash_after: a step that is done, and then looked for as if its result had been lost.
    """
    for step in executor.steps:
        if step in job.results:
            continue
        result = _done(executor, step, job)
        if step == crash_after:
            result = executor.find(step, job) or _done(executor, step, job)
        job = with_results(job, **{step: dict(result)})
    return job


def _done(executor: Executor, step: str, job: Job) -> Any:
    for _ in range(TRIES):
        try:
            return executor.do(step, job)
        except Unknown:
            if (found := executor.find(step, job)) is not None:
                return found
    raise AssertionError(f"{step} broke {TRIES} times")
