"""How the false alarms that a deployment may raise are shared out among its segments.

The budget is event time: every millisecond that passes may be granted once. A quarter goes to the segment
``all``, the rest to the segments that have shown enough events, half of it equally and half by their traffic
of the last day. Shares follow from what came before a pane, never from the pane itself, so they may change
all the time: when a segment is new, the others give way, and nothing is spent twice.

Every partition of the second stage keeps the same books from the same census.
"""

import math
from collections.abc import Mapping

import msgspec

from drift_aware.schema.segments import ALL
from drift_aware.schema.settings import Limits

ALL_SHARE = 0.25
EQUAL_SHARE = 0.5
# A segment takes part once it has shown so many events: before, its detectors learn.
LIVE_EVENTS = 300
TRAFFIC_MS = 86_400_000


def on_budget(limits: Limits) -> frozenset[str]:
    """The names of the detectors that share it: of all others nobody promises how seldom they alarm.

    >>> sorted(on_budget(Limits()))
    ['drop', 'limit', 'shift']
    """
    return frozenset({"shift", "limit", "drop"} if limits.confirm else {"shift"})


class Account(msgspec.Struct, array_like=True):
    """One segment's.

    Attributes:
        events: how many it has shown.
        traffic: how many of them in the last day, exponentially weighted.
        granted: milliseconds granted so far.
    """

    events: int = 0
    traffic: float = 0.0
    granted: float = 0.0


class Books(msgspec.Struct):
    """The accounts of all segments, up to the event time ``until``."""

    until: int = 0
    accounts: dict[str, Account] = {}

    def advance(self, end: int, census: Mapping[str, int]) -> None:
        """Grant the time up to the end of a pane, then take note of what the pane held.

        Args:
            end: end of the pane, milliseconds; panes come in their order.
            census: events of each segment but ``all``; with no dimensions there is only ``all``.
        """
        if end <= self.until:
            return
        passed = end - self.until if self.until else 0
        self.until = end
        for name, share in self._shares().items():
            self.accounts[name].granted += share * passed
        self._count(census, passed)

    def granted(self, segment: str) -> float:
        """How many milliseconds a segment was granted so far."""
        account = self.accounts.get(segment)
        return account.granted if account is not None else 0.0

    def _shares(self) -> dict[str, float]:
        """What part of the passing time each segment is granted; at most one in sum."""
        live = [name for name, each in self.accounts.items() if name != ALL and each.events >= LIVE_EVENTS]
        everything = self.accounts.get(ALL)
        if not live:
            return {ALL: 1.0} if everything is not None else {}
        traffic = math.fsum(self.accounts[name].traffic for name in live)
        rest = 1.0 - ALL_SHARE
        shares = {
            name: rest * (EQUAL_SHARE / len(live) + (1 - EQUAL_SHARE) * self.accounts[name].traffic / traffic)
            for name in live
        }
        return shares | {ALL: ALL_SHARE}

    def _count(self, census: Mapping[str, int], passed: int) -> None:
        kept = math.exp(-passed / TRAFFIC_MS)
        for account in self.accounts.values():
            account.traffic *= kept
        for name in sorted({ALL, *census}):
            account = self.accounts.setdefault(name, Account())
            events = sum(census.values()) if name == ALL else census[name]
            account.events += events
            account.traffic += events
