"""Baselines: what a family of events of a segment looked like when all was well."""

import hashlib

import msgspec

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.settings import BaselinePolicy
from drift_aware.streams.labels import VERSION
from drift_aware.streams.panes import Clock
from drift_aware.streams.stage import Input
from drift_aware.streams.summary import Packed, Summary, unpack

_encode = msgspec.msgpack.Encoder().encode
_packed = msgspec.msgpack.Decoder(Packed).decode


def wanted(family: str, policy: BaselinePolicy) -> int:
    """How many events a baseline of this family is fitted on."""
    return {"feedback": policy.feedback, "evaluation": policy.evaluations}.get(family, policy.events)


def reference(baseline: Baseline) -> Summary:
    """The sums that panes are compared with."""
    return unpack(_packed(baseline.summary))


class Collection:
    """The first events of one family of one segment, by event time, until there are enough of them.

    Arrival would not do: a consumer that catches up reads one partition far ahead of another, and the first
    thousand to arrive could be the newest of all. So events are kept by pane, and only panes that no source
    can add to any more are counted.

    Args:
        segment: whose events.
        family: which events.
        needed: how many make a baseline.
    """

    def __init__(self, segment: str, family: str, needed: int) -> None:
        self.segment, self.family, self.needed = segment, family, needed
        self.offsets: dict[str, dict[str, tuple[int, int]]] = {}
        self._open: dict[int, Summary] = {}
        self._counted = Summary()
        self._since: int | None = None
        self._until = 0

    def add(self, pane: int, summary: Summary, record: Input) -> None:
        """Keep events of one record.

        Args:
            pane: start of the pane they belong to, milliseconds.
            summary: their sums.
            record: where they came from.
        """
        if pane < self._until:
            return  # too late
        self._open.setdefault(pane, Summary()).add(summary)
        partitions = self.offsets.setdefault(record.topic, {})
        first, _ = partitions.get(str(record.partition), (record.offset, 0))
        partitions[str(record.partition)] = (first, record.offset + 1)

    def settle(self, complete: int, clock: Clock) -> bool:
        """Count panes in the order of event time; whether there are enough events now.

        Args:
            complete: event time that every source has passed.
            clock: how event time is cut.
        """
        for pane in sorted(self._open):
            if clock.closes_at(pane) > complete or self._counted.events >= self.needed:
                break
            self._counted.add(self._open.pop(pane))
            self._since = pane if self._since is None else self._since
            self._until = pane + clock.pane_ms
        return self._counted.events >= self.needed

    def fit(self, created: int) -> Baseline:
        """The baseline; the same events make the same id.

        Args:
            created: now, in milliseconds; not part of the id.
        """
        summary = _encode(self._counted.pack())
        identity = hashlib.sha256(f"{self.segment}|{self.family}|{VERSION}|".encode() + summary)
        return Baseline(
            id=identity.hexdigest()[:24],
            segment=self.segment,
            family=self.family,
            policy="first",
            created=created,
            events=self._counted.events,
            since=self._since or 0,
            until=self._until,
            offsets=self.offsets,
            labeller=VERSION,
            seed=0,
            summary=summary,
        )
