"""The life of an action: which status may follow which, and what to say where one may not: pure.

::

    withheld ⇄ proposed ──► approved ──► running ──► succeeded ──► verified ──► rolled_back
                  │  │          │          ▲  │  └──► failed ──► approved (again), rolled_back
                  │  └► expired │          │  └─────► unknown ──► running (once a person has looked)
                  └► rejected ◄─┘          └ proposed, where its rule needs nobody's approval
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from drift_aware.schema.alerts import ActionStatus

Verdict = Literal["helped", "no effect", "harmed"]

FOLLOWS: Mapping[ActionStatus, frozenset[ActionStatus]] = {
    "withheld": frozenset({"proposed"}),
    "proposed": frozenset({"approved", "rejected", "expired", "withheld", "running"}),
    "approved": frozenset({"rejected", "running"}),
    "rejected": frozenset(),
    "expired": frozenset(),
    "running": frozenset({"succeeded", "failed", "unknown"}),
    "unknown": frozenset({"running"}),
    "succeeded": frozenset({"verified", "rolled_back"}),
    "failed": frozenset({"approved", "rolled_back"}),
    "verified": frozenset({"rolled_back"}),
    "rolled_back": frozenset(),
}

# What was never begun, or not by now, and therefore gives no reason to wait with the next.
IDLE: tuple[ActionStatus, ...] = ("withheld", "expired")

_STANDS: Mapping[ActionStatus, str] = {
    "withheld": "was withheld: {reason}",
    "proposed": "is only proposed; approve it first: drift-aware actions approve {id}",
    "approved": "was already approved by {by}{at}",
    "rejected": "was rejected: {reason}",
    "expired": "has expired: {reason}",
    "running": "is being carried out by {worker}",
    "unknown": "has a step of unknown outcome; see drift-aware actions show {id}, then settle it",
    "succeeded": "has been carried out",
    "failed": "has failed: {reason}",
    "verified": "has been carried out and verified",
    "rolled_back": "has been rolled back",
}


def before(status: ActionStatus) -> list[ActionStatus]:
    """The statuses that ``status`` may follow.

    >>> before("succeeded")
    ['running']
    """
    return [each for each, following in FOLLOWS.items() if status in following]


def stands(
    status: ActionStatus,
    *,
    id: str,  # noqa: A002 - the word in the messages
    reason: str,
    worker: str,
    approved_by: str | None = None,
    approved_at: datetime | None = None,
) -> str:
    """Where an action stands, as the end of a sentence that refuses something.

    >>> stands("approved", id="a", reason="", worker="", approved_by="Ann")
    'was already approved by Ann'
    """
    at = f" at {approved_at:%Y-%m-%d %H:%M:%S %Z}" if approved_at else ""
    return _STANDS[status].format(id=id, reason=reason, worker=worker, by=approved_by or "the rules", at=at)
