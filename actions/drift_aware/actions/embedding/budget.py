"""What a day of embedding has cost, kept with the offsets of the partitions it was spent on.

Processes share the budget as they share the partitions: each may spend the part of its partitions, so that
together they never spend more. A crash forgets what its last batch has cost.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from drift_aware.actions.errors import OverBudget

Home = tuple[str, int]


class Budget:
    """The day's budget of one process; the bill of an Embedder.

    Args:
        usd_per_day: of all processes together; None for no limit.
        partitions: of all processes together.
        paid: called with every amount that is spent.
        now: the time, for the UTC day.

    Attributes:
        home: the partition that what is spent next is for; set before a call.
        day: the UTC day that is being spent on.
    """

    def __init__(
        self,
        usd_per_day: float | None,
        partitions: int,
        paid: Callable[[float], None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.home: Home | None = None
        self._limit = usd_per_day
        self._partitions = partitions
        self._paid = paid
        self._now = now
        self.day = ""
        self._usd: dict[Home, float] = {}

    def assigned(self, states: Mapping[Home, Mapping[str, Any]]) -> None:
        """These partitions are ours; after trouble we know more of some than was committed."""
        self._turn()
        self._usd = {
            home: max(
                self._usd.get(home, 0.0), state.get("usd", 0.0) if state.get("day") == self.day else 0.0
            )
            for home, state in states.items()
        }

    def state(self, home: Home) -> dict[str, Any]:
        """What to commit with an offset of that partition."""
        self._turn()
        return {"day": self.day, "usd": self._usd.get(home, 0.0)}

    def spend(self, most_usd: float, what: str, /) -> None:
        """See Bill."""
        self._turn()
        if self._limit is None:
            return
        share = self._limit * len(self._usd) / self._partitions
        if sum(self._usd.values()) + most_usd > share:
            raise OverBudget(
                f"{what} has cost {sum(self._usd.values()):.4f} USD today and may cost {share:.4f} here; "
                "interactions go without until tomorrow (UTC), or raise embed.budget_usd_per_day"
            )

    def spent(self, usd: float, what: str, /) -> None:
        """See Bill."""
        del what
        if self.home is not None:
            self._usd[self.home] = self._usd.get(self.home, 0.0) + usd
        self._paid(usd)

    def _turn(self) -> None:
        day = self._now().date().isoformat()
        if day != self.day:
            self.day, self._usd = day, dict.fromkeys(self._usd, 0.0)
