"""Rows become events, events leave; what cannot be used is set aside with its reason."""

from collections import Counter
from collections.abc import Callable
from threading import Event as Flag

import msgspec

from drift_aware.producers.backfill.delivery import Delivery
from drift_aware.producers.backfill.mapping import Shape
from drift_aware.producers.backfill.rows import Row, Source, Unreadable
from drift_aware.producers.drafts import Completion
from drift_aware.producers.packing import encoded
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import KINDS, Event, Kind
from drift_aware.schema.redaction import Changes


class Counts(msgspec.Struct):
    """What became of the rows.

    Attributes:
        published: events by kind; in a dry run those that would be.
        rejected: rows that cannot be used.
        empty: rows of feedback without an opinion.
        clipped: texts that lost their end.
        redacted: what was replaced in texts, by kind.
        withheld: texts left out because the redaction failed on them.
        next_line: the row to go on with; None if all are done.
    """

    published: Counter[Kind] = msgspec.field(default_factory=Counter)
    redacted: Counter[str] = msgspec.field(default_factory=Counter)
    rejected: int = 0
    empty: int = 0
    clipped: int = 0
    withheld: int = 0
    next_line: int | None = None


class Rehearsal:
    """The delivery of a dry run: sees that events could be sent, and sends none."""

    settled = 1

    def send(self, event: Event, number: int) -> None:
        """See Delivery."""
        del number
        encoded(event)  # for what it raises

    def settle(self, following: int) -> None:
        """See Delivery."""
        self.settled = following


class Backfilling:
    """One pass over a source.

    Args:
        shape: which column is which field.
        completion: clips, redacts and checks.
        reject: told of each row that cannot be used, and why.
        counts: told what becomes of the rows.
    """

    def __init__(
        self,
        shape: Shape,
        completion: Completion,
        reject: Callable[[Row | Unreadable, str], None],
        counts: Counts,
    ) -> None:
        self._shape = shape
        self._completion = completion
        self._reject = reject
        self._counts = counts

    def run(
        self,
        source: Source,
        delivery: Delivery | Rehearsal,
        stop: Flag,
        begin: int = 1,
        progress: Callable[[int, int | None], None] = lambda *_: None,
    ) -> None:
        """Send the rows from number ``begin`` on, until the last or until it is told to stop.

        However it ends, ``counts.next_line`` then says where to go on.

        Raises:
            SettingsError: the source is not what it should be.
            Unreachable: Kafka does not take the events, or a database went away.
        """
        delivery.settled = following = begin
        done = False
        try:
            for row in source.rows():
                if stop.is_set():
                    break
                if row.number >= begin:
                    self._take(row, delivery)
                    following = row.number + 1
                progress(*source.progress())
            else:
                done = True
            delivery.settle(following)
        finally:
            self._counts.next_line = None if done and delivery.settled == following else delivery.settled

    def _take(self, row: Row | Unreadable, delivery: Delivery | Rehearsal) -> None:
        try:
            if isinstance(row, Unreadable):
                raise BadEvent("unreadable", row.why)
            draft = self._shape.draft(row)
            if draft is None:
                self._counts.empty += 1
                return
            event, changes = self._completion.complete(draft)
            delivery.send(event, row.number)
        except BadEvent as error:
            self._counts.rejected += 1
            self._reject(row, str(error))
        else:
            self._count(event, changes)

    def _count(self, event: Event, changes: Changes) -> None:
        self._counts.published[KINDS[type(event)]] += 1
        self._counts.redacted.update(changes.found)
        self._counts.clipped += changes.clipped
        self._counts.withheld += changes.withheld
