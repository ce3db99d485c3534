"""Baselines: what a family of events of a segment looked like when all was well."""

import hashlib
from typing import Literal

import msgspec
import numpy as np

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.settings import BaselinePolicy
from drift_aware.streams import reference
from drift_aware.streams.labels import VERSION
from drift_aware.streams.panes import Clock
from drift_aware.streams.reference import Reference
from drift_aware.streams.stage import Input
from drift_aware.streams.summary import Packed, Summary, Vector, kind_of, less, unpack

Policy = Literal["first", "pinned", "rolling"]
SEED = 0
# A reference gains nothing from more vectors, and its process must hold them all.
MOST_VECTORS = 20_000
# So many examples are kept of a baseline: against them the words of a drift stand out.
BACKGROUND = 240

_encode = msgspec.msgpack.Encoder().encode
_packed = msgspec.msgpack.Decoder(Packed).decode
_reference = msgspec.msgpack.Decoder(reference.Packed).decode


def wanted(family: str, policy: BaselinePolicy) -> int:
    """How many events a baseline of this family is fitted on."""
    return {"feedback": policy.feedback, "evaluation": policy.evaluations}.get(family, policy.events)


def sums_of(baseline: Baseline) -> Summary:
    """The sums that panes are compared with."""
    return unpack(_packed(baseline.summary))


def reference_of(baseline: Baseline) -> Reference | None:
    """What embeddings are compared with; None of other families."""
    return Reference(_reference(baseline.reference)) if baseline.reference else None


class GrowingState(msgspec.Struct, array_like=True):
    """A ``Growing`` in bytes."""

    since: int
    until: int
    summary: Packed


class Growing:
    """A baseline of counts that grows from the first calm panes, inside the second stage.

    Attributes:
        sums: what it has so far.
    """

    def __init__(self, state: GrowingState | None = None) -> None:
        self._since = state.since if state is not None else 0
        self._until = state.until if state is not None else 0
        self.sums = unpack(state.summary) if state is not None else Summary()

    def add(self, start: int, end: int, summary: Summary) -> None:
        """Take a pane in."""
        self._since = self._since or start
        self._until = end
        self.sums.add(summary)
        self.sums.trim(BACKGROUND)

    def fit(self, segment: str, family: str) -> Baseline:
        """The baseline; the same events make the same id."""
        return record(segment, family, "first", self.sums, (self._since, self._until), self._until)

    def state(self) -> GrowingState:
        """What must be kept."""
        return GrowingState(self._since, self._until, self.sums.pack())


class Collection:
    """The events of one family of one segment that a baseline is fitted on.

    Arrival would not do: a consumer that catches up reads one partition far ahead of another, and the first
    thousand to arrive could be the newest of all. So events are kept by pane, and only panes that no source
    can add to any more are counted.

    Args:
        segment: whose events.
        family: which events.
        needed: how many make a baseline; None takes all that come.
    """

    def __init__(self, segment: str, family: str, needed: int | None) -> None:
        self.segment, self.family, self.needed = segment, family, needed
        self.offsets: dict[str, dict[str, tuple[int, int]]] = {}
        self._open: dict[int, _Stack] = {}
        self._counted = _Stack()
        self._since: int | None = None
        self._until = 0

    def add(self, pane: int, part: "Part", record: Input) -> None:
        """Keep events of one record.

        Args:
            pane: start of the pane they belong to, milliseconds.
            part: the events.
            record: where they came from.
        """
        if pane < self._until:
            return  # too late
        self._open.setdefault(pane, _Stack()).add(part)
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
            if clock.closes_at(pane) > complete or self._enough():
                break
            self._counted.join(self._open.pop(pane))
            self._since = pane if self._since is None else self._since
            self._until = pane + clock.pane_ms
        return self._enough()

    def fit(self, created: int, policy: Policy = "first") -> Baseline | None:
        """The baseline, None of nothing; the same events make the same id.

        Args:
            created: now, in milliseconds; not part of the id.
            policy: which policy asked for it.
        """
        units = self._counted.units()
        if not units.events:
            return None
        packed = b""
        if kind_of(self.family) == "embedding":
            rows, mask = self._counted.matrix()
            fitted = reference.fit(rows, mask, SEED)
            packed = _encode(fitted.packed)
        span = (self._since or 0, self._until)
        baseline = record(self.segment, self.family, policy, units, span, created, packed)
        return msgspec.structs.replace(baseline, offsets=self.offsets)

    def _enough(self) -> bool:
        return self.needed is not None and self._counted.units().events >= self.needed


class Part(msgspec.Struct):
    """Events of one family of one segment and pane.

    Attributes:
        sums: of all of them; ``again`` of those that do not open a conversation.
        vectors: of embeddings (event time, id, row on the grid, whether it opens a conversation).
    """

    sums: Summary
    again: Summary
    vectors: list[tuple[int, str, Vector, bool]]


class _Stack:
    """Parts put together."""

    def __init__(self) -> None:
        self._sums, self._again = Summary(), Summary()
        self._vectors: list[tuple[int, str, Vector, bool]] = []

    def add(self, part: Part) -> None:
        self._sums.add(part.sums)
        self._sums.trim(BACKGROUND)
        self._again.add(part.again)
        self._vectors += part.vectors

    def join(self, other: "_Stack") -> None:
        self.add(Part(other._sums, other._again, other._vectors))

    def units(self) -> Summary:
        units = less(self._sums, self._again)
        units.examples = self._sums.examples
        return units

    def matrix(self) -> tuple[reference.Rows, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """Rows in the order of event time and id, which is the same however they arrived."""
        kept = sorted(self._vectors, key=lambda each: each[:2])[:MOST_VECTORS]
        opens = np.array([each[3] for each in kept])
        return np.stack([each[2] for each in kept]), opens if opens.any() else np.ones(len(kept), np.bool_)


def record(
    segment: str,
    family: str,
    policy: Policy,
    sums: Summary,
    span: tuple[int, int],
    created: int,
    packed: bytes = b"",
) -> Baseline:
    """A baseline's record; its id is made of its sums, which are exact.

    Args:
        segment: whose events; ``family`` which.
        family: as above.
        policy: ``first``, ``pinned`` or ``rolling``.
        sums: of its units.
        span: event time from and to, milliseconds.
        created: now, in milliseconds.
        packed: the packed reference of embeddings.
    """
    summary = _encode(sums.pack())
    identity = hashlib.sha256(f"{segment}|{family}|{VERSION}|".encode() + summary)
    return Baseline(
        id=identity.hexdigest()[:24],
        segment=segment,
        family=family,
        policy=policy,
        created=created,
        events=sums.events,
        since=span[0],
        until=span[1],
        offsets={},
        labeller=VERSION,
        seed=SEED,
        summary=summary,
        reference=packed,
    )
