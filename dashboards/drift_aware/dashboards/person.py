"""Who approves in a demo that has nobody else to."""

from drift_aware.actions import answers, ledger
from drift_aware.sql.store import Connection

NAME = "the demo"
# So long are the proposals read before they are approved; meanwhile it is measured how bad things are.
HESITATION_SECONDS = 20.0


class Person:
    """Approves, once, everything that is proposed against worse answers."""

    def __init__(self) -> None:
        self._first_seen: float | None = None
        self._approved = False

    def look(self, connection: Connection, elapsed: float) -> None:
        """Approve what there is, if it has been there for long enough.

        Args:
            connection: in autocommit mode.
            elapsed: seconds since the demo began.
        """
        if self._approved:
            return
        waiting = [each for each in ledger.actions(connection, "proposed") if each.action == "tune"]
        if waiting and self._first_seen is None:
            self._first_seen = elapsed
        if self._first_seen is None or elapsed - self._first_seen < HESITATION_SECONDS:
            return
        for action in waiting:
            answers.approve(connection, action.id, NAME)
        self._approved = True
