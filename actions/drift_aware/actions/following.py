"""Which counts an action is judged by: pure.

`Before` is what came between the alert and the end of the action. What came up to the alert is left out, for
an alert is raised when things look worst: after it they look better even if nothing is done. Only if too
little is known otherwise, as after an action that was carried out at once, it is used too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from drift_aware.actions.trial import Count

MIN_BEFORE = 300


@dataclass(frozen=True, slots=True)
class Period:
    """Event times, in milliseconds: when the drift began, when the alert was raised, when the action was over."""

    onset: int
    alert: int
    since: int

    def before(self, counts: Sequence[Count]) -> list[Count]:
        """What came before the action."""
        drifted = [count for count in counts if self.onset <= count.start < self.since]
        later = [count for count in drifted if count.start >= self.alert]
        return later if sum(count.events for count in later) >= MIN_BEFORE else drifted
