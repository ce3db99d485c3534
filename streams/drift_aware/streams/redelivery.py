"""Dead letters back to their source topic, each once for all time.

A record and the note that it was sent cannot be written at once: the worker counts source offsets one by
one, so a source topic takes no transactions. Therefore a sent record carries its letter's id as a header, and
the run says on ``drift.replays.v1``, before it sends, where the source partitions ended. Whoever comes after
a run that was killed reads the sources from there, and finds what that run had sent and not noted.

Only one run at a time: it holds a lease, which its entry on the same partition is. Nobody compares clocks: an
entry that stays the same for as long as the lease lasts, by the clock of whoever waits, belongs to a run that
is dead or has given up.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import structlog

from drift_aware.schema.errors import DriftAwareError
from drift_aware.streams.dlq import Letter
from drift_aware.streams.stage import Input

_log = structlog.get_logger(__name__)

LETTER_HEADER = "drift.replayed.letter"
# What Kafka has not confirmed by then is never sent.
SEND_SECONDS = 5.0
LEASE_SECONDS = 15.0
STEP_LETTERS = 200
STEP_BYTES = 4_000_000

# Topic to partition to the offset its next record will have.
Ends = dict[str, dict[int, int]]


class Redelivered(msgspec.Struct, tag="redelivered", frozen=True):
    """A letter is on its source topic again; ``at`` in milliseconds."""

    at: int
    partition: int
    offset: int


class Run(msgspec.Struct, tag="run", frozen=True):
    """A run is under way; all that it has sent and not noted lies at or after these offsets."""

    ends: Ends


Entry = Redelivered | Run
_entry = msgspec.json.Decoder(Entry).decode


@dataclass(slots=True)
class Memory:
    """What ``drift.replays.v1`` says.

    Attributes:
        redelivered: letter id to where it is now.
        runs: name to entry and its offset, of the runs that have not ended.
    """

    redelivered: dict[str, Redelivered] = field(default_factory=dict)
    runs: dict[str, tuple[int, Run]] = field(default_factory=dict)


def memory_of(records: Iterable[Input]) -> Memory:
    """The memory, from all records of its topic in their order."""
    memory = Memory()
    for record in records:
        key = (record.key or b"").decode()
        if record.value is None:
            memory.runs.pop(key, None)
            continue
        match _entry(record.value):
            case Redelivered() as redelivered:
                memory.redelivered[key] = redelivered
            case Run() as run:
                memory.runs[key] = record.offset, run
    return memory


class Busy(DriftAwareError):
    """Another run holds the lease, or this one has lost it."""


class Postbox(Protocol):
    """Kafka, as a run needs it. Every method returns when the broker has confirmed, or raises."""

    def memory(self) -> Memory:
        """All that is noted by now."""

    def note(self, entries: Mapping[str, Entry | None]) -> None:
        """Write entries, in order; None deletes one."""

    def ends(self, letters: Sequence[Letter]) -> Ends:
        """Where the partitions end that the letters go to."""

    def send(self, letters: Sequence[Letter]) -> dict[str, Redelivered]:
        """Put letters on their source partitions, with their id as a header; by id, where they are.

        Nothing of it may arrive once the call has ended, or once ``SEND_SECONDS`` have passed.
        """

    def sent_since(self, ends: Ends) -> dict[str, Redelivered]:
        """The letters whose ids stand in headers at or after those offsets."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""


def redeliver(
    postbox: Postbox, letters: Sequence[Letter], name: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[tuple[Letter, Redelivered]]:
    """Send letters back, step by step; each is given out once it is there and noted.

    A letter that was sent before, by whatever run, is left out. A run that fails keeps its entry, so that the
    next one finds what it had sent.

    Args:
        postbox: Kafka.
        letters: each once, of source topics.
        name: of this run, like no other.
        clock: monotonic seconds.

    Raises:
        Busy: another run is under way, or this process stood still for too long; nothing is sent twice.
        Unreachable: Kafka does not answer.
    """
    _settle(postbox)
    lease = _Lease(postbox, name, clock)
    lease.take()
    known = postbox.memory().redelivered
    for step in steps([letter for letter in letters if str(letter.place) not in known]):
        lease.renew(postbox.ends(step))
        lease.check()
        sent = postbox.send(step)
        postbox.note(sent)
        yield from ((letter, sent[str(letter.place)]) for letter in step)
    lease.give_back()


def steps(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    """Letters in portions that Kafka takes well within a lease."""
    step: list[Letter] = []
    size = 0
    for letter in letters:
        if step and (len(step) == STEP_LETTERS or size + len(letter.value) > STEP_BYTES):
            yield step
            step, size = [], 0
        step.append(letter)
        size += len(letter.value)
    if step:
        yield step


def _settle(postbox: Postbox) -> None:
    """Note what dead runs have sent.

    Raises:
        Busy: one is alive.
    """
    before = postbox.memory().runs
    if not before:
        return
    _log.info("a replay has not ended; waiting whether it goes on", seconds=LEASE_SECONDS)
    postbox.wait(LEASE_SECONDS)
    for name, (offset, run) in postbox.memory().runs.items():
        if name not in before or before[name][0] != offset:
            raise Busy("another replay is running; run this one again when that has ended")
        # The sent letters first: without the entry nobody would look for them.
        postbox.note(postbox.sent_since(run.ends))
        postbox.note({name: None})


class _Lease:
    """The right to send: what is done under it is over before anybody else may begin."""

    def __init__(self, postbox: Postbox, name: str, clock: Callable[[], float]) -> None:
        self._postbox, self._name, self._clock = postbox, name, clock
        self._renewed = clock()

    def take(self) -> None:
        """Write the entry. Of two runs that do so at once, at least one sees the other's, and withdraws."""
        self._renewed = self._clock()
        self._postbox.note({self._name: Run({})})
        if set(self._postbox.memory().runs) != {self._name}:
            self.give_back()
            raise Busy("another replay has begun; run this one again when that has ended")

    def renew(self, ends: Ends) -> None:
        """Write the entry again, for the next step."""
        self.check()
        now = self._clock()
        self._postbox.note({self._name: Run(ends)})
        self._renewed = now

    def check(self) -> None:
        """Whatever is begun now must be over when the lease is."""
        if self._clock() - self._renewed > LEASE_SECONDS - SEND_SECONDS:
            raise Busy("this replay stood still for too long; run it again, nothing is sent twice")

    def give_back(self) -> None:
        """Remove the entry."""
        self._postbox.note({self._name: None})
