"""Carries an action out, step by step, so that each effect happens once whatever dies in between.

The row of a step is committed before the step begins, and its result after it. So when a process takes up an
action that another has left, it knows of each step whether it is over (it is passed by), was never begun (it
is done), or was begun and may have had its effect: that one is looked for first (``Executor.find``).
"""

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import psycopg
import structlog

from drift_aware.actions import ledger, steps
from drift_aware.actions.costs import Purse, refuse
from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.actions.executor import Executor, Job, Result
from drift_aware.actions.leases import Claimant, Heartbeat
from drift_aware.actions.steps import UNDO, Step
from drift_aware.schema.action_settings import Actions
from drift_aware.schema.alerts import Action
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.progress import Advance
from drift_aware.sql.store import Connection

# A step whose call broke, and that is then found to have had no effect, is done again so often.
TRIES = 3

# Trouble that passes: the step stays begun, and is looked for when the action is taken up again.
PASSING = (Unreachable, psycopg.OperationalError, psycopg.InterfaceError)

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Stopped(Exception):
    """The process is to end; the action is left where it is, between two steps."""


@dataclass(frozen=True)
class Carrier:
    """Carries out what its claimant has taken, on one connection.

    Attributes:
        executor: of the claimant's kind.
        settings: the section ``actions``.
        connection: in autocommit mode, this carrier's own.
        connect: opens another.
        advance: shows how far a step is, told its name.
        stopping: asked between two steps.
    """

    executor: Executor
    claimant: Claimant
    settings: Actions
    connection: Connection
    connect: Callable[[], AbstractContextManager[Connection]]
    advance: Callable[[str], Advance] = Advance
    stopping: Callable[[], bool] = lambda: False

    def carry(self, action_id: str) -> Action:
        """Carry an action out that is this claimant's; where it stands afterwards.

        Raises:
            LeaseLost: another goes on with it.
            Unreachable: a service is away; so do psycopg's errors say. The action can be taken up again.
        """
        entry = ledger.find(self.connection, action_id)
        if entry.action.dry_run or self.settings.dry_run:
            return self._rehearse(entry)
        with Heartbeat(self.connect, self.claimant, action_id):
            try:
                return self._work(entry)
            except Stopped:
                self.claimant.release(self.connection, action_id)
                return ledger.find(self.connection, action_id).action

    def undo(self, action_id: str, by: str, note: str = "") -> str:
        """Take back what is this claimant's to take back; in a sentence, what that was.

        Raises:
            ActionFailed: it cannot be taken back; the action stands as before.
            LeaseLost: another goes on with it.
        """
        entry = ledger.find(self.connection, action_id)
        job, worker = self._job(entry, _results(entry.steps)), self.claimant.worker
        with Heartbeat(self.connect, self.claimant, action_id):
            steps.begin(self.connection, action_id, UNDO, job.key(UNDO), worker)
            try:
                with self.advance(f"{entry.action.action}: {UNDO}") as advance:
                    said = self._guarded(lambda: self.executor.undo(self._step_job(job, UNDO, advance)))
            except (ActionFailed, Unknown) as error:
                steps.end(self.connection, action_id, UNDO, worker, "failed")
                self.claimant.release(self.connection, action_id)
                raise ActionFailed(str(error)) from error
            reason = f"rolled back by {by}" + (f" ({note})" if note else "") + f": {_line(said)}"
            with self.connection.transaction():
                steps.end(self.connection, action_id, UNDO, worker, "done", {"said": said})
                ledger.move(self.connection, action_id, "rolled_back", holder=worker, reason=reason)
        return said

    def _rehearse(self, entry: ledger.Entry) -> Action:
        if entry.steps:
            reason = (
                "actions.dry_run was switched on when it was half done; approve it again, or roll it back"
            )
            return self._finish(entry, "failed", reason=reason)
        job = self._job(entry, {})
        try:
            plan = self._guarded(lambda: self.executor.plan(job))
        except (ActionFailed, Unknown) as error:
            return self._finish(entry, "failed", reason=f"dry run: {_line(str(error))}", dry_run=True)
        reason = f"dry run: would {_line(plan).removeprefix('would ')}"
        return self._finish(entry, "succeeded", reason=reason, dry_run=True)

    def _work(self, entry: ledger.Entry) -> Action:
        begun = {step.step: step for step in entry.steps}
        job = self._job(entry, _results(entry.steps))
        try:
            self._expect(entry)
            for step in self.executor.steps:
                if step not in job.results:
                    job = replace(job, results={**job.results, step: self._step(job, step, begun.get(step))})
        except ActionFailed as error:
            return self._finish(entry, "failed", reason=_line(str(error)))
        except Unknown as error:
            return self._finish(entry, "unknown", reason=_line(str(error)))
        cost = ledger.find(self.connection, entry.action.id).cost_usd
        receipt = {"steps": len(self.executor.steps), "cost_usd": cost}
        return self._finish(entry, "succeeded", receipt=receipt)

    def _expect(self, entry: ledger.Entry) -> None:
        """Note what the action is to bring about, once: before its first step."""
        if entry.action.expected is None and not entry.steps:
            effect = self._guarded(lambda: self.executor.expected(entry.alert))
            if effect is not None:
                self.claimant.expect(self.connection, entry.action.id, effect)

    def _step(self, job: Job, step: str, before: Step | None) -> Result:
        """Do a step, or find what it gave when it was begun before."""
        if self.stopping():
            raise Stopped
        action_id, worker = job.action.id, self.claimant.worker
        steps.begin(self.connection, action_id, step, job.key(step), worker)
        try:
            with self.advance(f"{job.action.action}: {step}") as advance:
                result = self._found_or_done(self._step_job(job, step, advance), step, before)
            steps.end(self.connection, action_id, step, worker, "done", result)
        except ActionFailed:
            steps.end(self.connection, action_id, step, worker, "failed")
            raise
        except Unknown:
            steps.end(self.connection, action_id, step, worker, "unknown")
            raise
        log.info("step done", action=job.action.action, id=action_id, step=step)
        return result

    def _found_or_done(self, job: Job, step: str, before: Step | None) -> Result:
        # What a person has settled as not done is not looked for: nobody could tell.
        if before is not None and before.settled_by is None:
            found = self._guarded(lambda: self.executor.find(step, job))
            if found is not None:
                return found
        for _ in range(TRIES):
            try:
                return self._guarded(lambda: self.executor.do(step, job))
            except Unknown as error:
                found = self._guarded(lambda: self.executor.find(step, job))
                if found is not None:
                    return found
                broken = error
        raise ActionFailed(f"{step} broke {TRIES} times without effect: {broken}")

    def _guarded(self, call: Callable[[], T]) -> T:
        """What an executor gives; its mistakes fail the action. Their texts may hold a secret."""
        try:
            return call()
        except (ActionFailed, Unknown, *PASSING):
            raise
        except Exception as error:  # noqa: BLE001 - an executor may be somebody's own
            name = type(error).__name__
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error("a mistake in an executor", error=name, where=f"{place.filename}:{place.lineno}")
            raise ActionFailed(
                f"{name} in the executor of {self.executor.kind}: a mistake; the log says where"
            ) from None

    def _job(self, entry: ledger.Entry, results: dict[str, Result]) -> Job:
        return Job(
            action=entry.action,
            alert=entry.alert,
            results=results,
            connect=self.connect,
            spend=refuse,
            spent=refuse,
            progress=lambda *_: None,
        )

    def _step_job(self, job: Job, step: str, advance: Advance) -> Job:
        purse = Purse(self.connection, job.action.id, step, self.settings.budget_usd_per_day)
        return replace(job, spend=purse.spend, spent=purse.spent, progress=advance.reach)

    def _finish(self, entry: ledger.Entry, status: Any, **changes: Any) -> Action:
        done = ledger.move(self.connection, entry.action.id, status, holder=self.claimant.worker, **changes)
        log.info("action " + done.status, action=done.action, id=done.id, reason=done.reason)
        return done


def _results(begun: list[Step]) -> dict[str, Result]:
    return {step.step: step.result or {} for step in begun if step.status == "done" and step.step != UNDO}


def _line(text: str) -> str:
    return " ".join(text.split())
