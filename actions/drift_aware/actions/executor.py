"""The contract of what carries an action out.

An executor divides its work into steps. Before a step begins, the ledger has a row that says so; when it has
ended, the row holds what it gave. After a crash a step that has begun and not ended is looked for where its
effect would be (``find``), by the key that was sent with it: found, it is over; not there, it is done again;
and where nobody can tell, the action stops as unknown until a person has looked. So an effect happens once.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID, uuid5

from drift_aware.schema.alerts import Action, ActionKind, Alert, Effect
from drift_aware.sql.store import Connection

# Never changed: a key must be the same on any machine and in any release.
_KEYS = UUID("0c9a6a3c-9f2e-5d0b-8a55-3f6d0a3f7c21")

# What a step gives: kept in the ledger as JSON, and shown to the steps after it.
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """One action that is being carried out.

    Attributes:
        action: as approved.
        alert: what it answers.
        results: of the steps that are over, by name.
        connect: opens a connection to the record; a step that writes there opens its own.
        spend: call it before a call that costs money, with what it may cost at most, US dollars, and a word
            for what it is; raises ``OverBudget``.
        spent: call it after one, with what it did cost.
        progress: told how much is done, and of how much.
    """

    action: Action
    alert: Alert
    results: Mapping[str, Result]
    connect: Callable[[], AbstractContextManager[Connection]]
    spend: Callable[[float, str], None]
    spent: Callable[[float, str], None]
    progress: Callable[[int, int | None], None]

    def key(self, step: str) -> str:
        """The idempotency key of a step: the same however often the step is begun."""
        return str(uuid5(_KEYS, f"{self.action.id}/{step}"))


class Executor(Protocol):
    """Carries out actions of one kind.

    Every method may raise ``ActionFailed`` with one line that says what to do; what else it raises is a
    mistake, and fails the action as well.

    Attributes:
        kind: of the actions.
        steps: names, in their order; each a word like ``upload``.
    """

    kind: ActionKind
    steps: Sequence[str]

    def expected(self, alert: Alert) -> Effect | None:
        """What the action is to bring about; None if nothing can be measured."""

    def plan(self, job: Job) -> str:
        """What would be done, in a sentence. In a dry run only this is called: nothing leaves the machine."""

    def do(self, step: str, job: Job) -> Result:
        """Do a step.

        Raises:
            Unknown: whether it has had its effect cannot be told, as after a connection that broke between
                request and answer. ``find`` is asked.
        """

    def find(self, step: str, job: Job) -> Result | None:
        """What a step gave that was begun and may not have ended; None if it has had no effect.

        Of a step that may be repeated without harm, None is right too.

        Raises:
            Unknown: nobody can tell.
        """

    def undo(self, job: Job) -> str:
        """Take back what the steps have done; in a sentence, what that was. May be called again.

        Raises:
            ActionFailed: it cannot be taken back.
        """
