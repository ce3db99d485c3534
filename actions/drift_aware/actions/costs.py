"""The day's budget, and what a step costs.

Before a call its greatest cost is reserved on the step's row, under a lock that all share, so that two calls
at once cannot both take the last dollar. After a crash the reservation stays: the money may have been spent.
"""

import threading
from collections import defaultdict

from drift_aware.actions.errors import ActionFailed, OverBudget
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection


class Purse:
    """What one step may spend; its methods may be called from any thread.

    Args:
        connection: in autocommit mode; nothing else may use it meanwhile.
        action_id: of the step's action.
        step: which must have begun.
        budget_usd: for one UTC day, all actions together.
    """

    def __init__(self, connection: Connection, action_id: str, step: str, budget_usd: float) -> None:
        self._connection = connection
        self._row = {"action_id": action_id, "step": step}
        self._budget = budget_usd
        self._reserved: defaultdict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def spend(self, most_usd: float, what: str) -> None:
        """Reserve what a call may cost at most.

        Raises:
            OverBudget: the day has not so much left.
        """
        given = self._row | {"usd": _amount(most_usd), "budget": self._budget}
        with self._lock, self._connection.transaction():
            self._connection.execute(QUERIES["lock_budget"])
            if self._connection.execute(QUERIES["reserve_cost"], given).rowcount != 1:
                raise OverBudget(
                    f"{what} may cost {most_usd:.2f} USD, and the day's {self._budget:g} USD do not allow "
                    "that; approve it again tomorrow, or raise actions.budget_usd_per_day"
                )
            self._reserved[what].append(most_usd)

    def spent(self, usd: float, what: str) -> None:
        """Book what it did cost."""
        with self._lock:
            reserved = self._reserved[what].pop(0) if self._reserved[what] else 0.0
            given = self._row | {"usd": _amount(usd), "reserved": reserved}
            self._connection.execute(QUERIES["book_cost"], given)


def _amount(usd: float) -> float:
    if not 0 <= usd < float("inf"):
        raise ActionFailed(f"{usd} is no amount of money; the executor has to give US dollars")
    return usd


def refuse(_: float, what: str) -> None:
    """The ``spend`` of a dry run.

    Raises:
        ActionFailed: always.
    """
    raise ActionFailed(f"{what} costs money, and a dry run spends none")
