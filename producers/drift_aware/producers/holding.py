"""The partitions a relay holds: where each goes on, and which outputs beyond that are there. Pure."""

from collections.abc import Iterable, Mapping

from drift_aware.producers.relayed import Done, Mark, Note, Origin, State
from drift_aware.producers.work import Received
from drift_aware.schema import consuming
from drift_aware.schema.consuming import Partition


class Holding:
    """What is ours, from one assignment to the next.

    Attributes:
        following: partition to the offset that comes next.
    """

    def __init__(self) -> None:
        self.following: dict[Partition, int] = {}
        self._since_ms: dict[Partition, int] = {}
        self._done = Done()

    def take(self, home: Partition, offset: int, since_ms: int) -> None:
        """A partition is ours, and goes on there; ``since_ms`` as in a Note."""
        self.following[home] = offset
        self._since_ms[home] = since_ms

    @property
    def since_ms(self) -> int | None:
        """From when on outputs may be there of what does not count as read; None if nothing is ours."""
        return min(self._since_ms.values(), default=None)

    def found(self, mark: Mark) -> bool:
        """Remember an output, if it is of a record that comes yet; whether it is."""
        following = self.following.get(mark.origin.home)
        if following is None or mark.origin.offset < following:
            return False
        self._done.add(mark)
        return True

    def has(self, mark: Mark) -> bool:
        """Whether this output is there already."""
        return self._done.has(mark)

    def complete(self, origin: Origin) -> bool:
        """Whether all outputs of a record are there already."""
        return self._done.complete(origin)

    def fresh(self, records: Iterable[Received]) -> tuple[list[Received], dict[Partition, int]]:
        """What is to be relayed, and the offsets after it."""
        return consuming.fresh(
            records, self.following, lambda record: (record.origin.home, record.origin.offset)
        )

    def note(self, home: Partition, offset: int, now_ms: int, state: State) -> Note:
        """What is to be committed with that offset; nothing of what comes after it may be under way."""
        # As long as there are outputs beyond the offset, whoever comes next has to find them too.
        if self._done.pass_by(home, offset):
            self._since_ms[home] = now_ms
        return Note(self._since_ms[home], state)

    def move(self, following: Mapping[Partition, int]) -> None:
        """These offsets are committed."""
        self.following.update(following)
