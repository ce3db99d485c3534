"""The worker's rim without Faust: tables that lose the end of what was written, sends that get lost.

It does what ``streams.cursor`` does, one record at a time, and can crash at any moment. What survives a crash
is any first part of the rows of the last write; what was sent with them may be lost or not.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from drift_aware.schema.envelope import DeadLetter
from drift_aware.streams.stage import Input, Output, Row, Stage

Source = tuple[str, int]


@dataclass
class Topics:
    """The broker: every record of every partition, in order."""

    records: dict[Source, list[Input]] = field(default_factory=lambda: defaultdict(list))

    def append(self, topic: str, partition: int, value: bytes | None, content_type: str = "") -> None:
        log = self.records[topic, partition]
        log.append(Input(topic, partition, len(log), value, content_type))


class Rim:
    """One stage on its table.

    Args:
        stage: the code under test.
        topics: where it reads and writes.
        sources: which partitions of which topics it owns.
    """

    def __init__(self, stage: Stage, topics: Topics, sources: list[Source]) -> None:
        self.stage, self.topics, self.sources = stage, topics, sources
        self.dead: list[DeadLetter] = []
        self.sent: list[Output] = []
        self._changelog: list[Row] = []
        self._last_write = 0  # how many rows the last write had
        self._next: dict[Source, int] = {}
        self._recover()

    def fold(self, which: int, records: int = 1) -> None:
        """Count the next records of one source, if there are any; a slice counts as a record."""
        source = self.sources[which % len(self.sources)]
        for _ in range(records):
            if self.behind(source):
                letters = self.stage.fold(self.topics.records[source][self._next[source]])
                self.dead += letters or ()
                self._next[source] += letters is not None

    def fold_all(self) -> None:
        """Count everything there is."""
        for which, source in enumerate(self.sources):
            while self.behind(source):
                self.fold(which)

    def behind(self, source: Source) -> bool:
        """Whether a source has records that are not counted."""
        return self._next[source] < len(self.topics.records[source])

    def write(self, lose: bool = False) -> None:
        """Write and send what has changed; ``lose`` writes but sends nothing, as if it crashed in between."""
        rows: list[Row] = []
        outputs: list[Output] = []
        for partition in sorted({partition for _, partition in self.sources}):
            changes = self.stage.changes(partition)
            rows += changes.rows
            outputs += changes.outputs
            for topic, other in self.sources:
                if other == partition:
                    note = self.stage.note(topic, partition)
                    value = b"%d|%b" % (self._next[topic, partition], note)
                    rows.append((f"{partition}|@|{topic}".encode(), value))
        self._changelog += rows
        self._last_write = len(rows)
        if not lose:
            self.send(outputs)

    def send(self, outputs: list[Output]) -> None:
        for output in outputs:
            self.sent.append(output)
            if output.partition is not None:
                self.topics.append(output.topic, output.partition, output.value)

    def crash(self, kept: float = 1.0) -> None:
        """Die and start again; of the rows of the last write only a first part, that share, is there."""
        lost = self._last_write - round(kept * self._last_write)
        if lost:
            del self._changelog[-lost:]
        self._last_write = 0
        self.stage.forget()
        self._recover()

    def rows(self) -> dict[bytes, bytes]:
        """The table, as recovery would make it."""
        table: dict[bytes, bytes] = {}
        for key, value in self._changelog:
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value
        return table

    def _recover(self) -> None:
        table = self.rows()
        for partition in sorted({partition for _, partition in self.sources}):
            mine = [(key, value) for key, value in table.items() if key.startswith(b"%d|" % partition)]
            rows = [(key, value) for key, value in mine if not key.startswith(b"%d|@|" % partition)]
            notes = {
                key.decode().split("|")[2]: value.partition(b"|")[2]
                for key, value in mine
                if key.startswith(b"%d|@|" % partition)
            }
            self.stage.restore(partition, rows, notes)
        for topic, partition in self.sources:
            value = table.get(f"{partition}|@|{topic}".encode(), b"0|")
            self._next[topic, partition] = int(value.partition(b"|")[0])


def replayed(topics: Topics, topic: str) -> list[Input]:
    """All records of a topic, partition by partition."""
    return [
        replace(record)
        for (name, _), log in sorted(topics.records.items())
        if name == topic
        for record in log
    ]
