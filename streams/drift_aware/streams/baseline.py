"""Baselines: what a family of events of a segment looked like when all was well."""

import hashlib

import msgspec

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.settings import BaselinePolicy
from drift_aware.streams.labels import VERSION
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
    """The first events of one family of one segment, until there are enough of them.

    Args:
        segment: whose events.
        family: which events.
        needed: how many make a baseline.
    """

    def __init__(self, segment: str, family: str, needed: int) -> None:
        self.segment, self.family, self.needed = segment, family, needed
        self.summary = Summary()
        self.since: int | None = None
        self.until = 0
        self.offsets: dict[str, dict[str, tuple[int, int]]] = {}

    @property
    def complete(self) -> bool:
        """Whether there are enough events."""
        return self.summary.events >= self.needed

    def add(self, summary: Summary, since: int, until: int, record: Input) -> None:
        """Count the events of one record.

        Args:
            summary: their sums.
            since: event time of the earliest, milliseconds.
            until: of the latest.
            record: where they came from.
        """
        self.summary.add(summary)
        self.since = since if self.since is None else min(self.since, since)
        self.until = max(self.until, until)
        partitions = self.offsets.setdefault(record.topic, {})
        first, _ = partitions.get(str(record.partition), (record.offset, 0))
        partitions[str(record.partition)] = (first, record.offset + 1)

    def fit(self, created: int) -> Baseline:
        """The baseline; the same events make the same id.

        Args:
            created: now, in milliseconds; not part of the id.
        """
        summary = _encode(self.summary.pack())
        identity = hashlib.sha256(f"{self.segment}|{self.family}|{VERSION}|".encode() + summary)
        return Baseline(
            id=identity.hexdigest()[:24],
            segment=self.segment,
            family=self.family,
            policy="first",
            created=created,
            events=self.summary.events,
            since=self.since or 0,
            until=self.until,
            offsets=self.offsets,
            labeller=VERSION,
            seed=0,
            summary=summary,
        )
