"""From a Kafka record to events that can be counted: read, checked, labelled, their vectors on the grid."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from drift_aware.schema.envelope import DeadLetter, decode, rejected
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import CANARY_KINDS, Embedding, Event, Interaction, Kind, is_canary
from drift_aware.schema.settings import Settings
from drift_aware.streams.stage import Input
from drift_aware.streams.summary import Vector
from drift_aware.streams.vectors import on_grid

Label = Callable[[Sequence[Interaction]], None]
Measured = tuple[Event, Vector | None]


class Intake:
    """Reads records.

    Args:
        settings: what is too far in the future, how long a vector must be.
        label: sets the labels that interactions do not carry.
    """

    def __init__(self, settings: Settings, label: Label) -> None:
        self._tolerance_ms = settings.future_tolerance_seconds * 1000
        self._dim = settings.embedding_dim
        self._label = label

    def read(self, kind: Kind, record: Input) -> tuple[list[Measured], list[DeadLetter], int]:
        """What is in a record.

        Canaries are asked of the models by the monitor itself. Nothing that is counted, scored or compared
        may have them in it, so they end here, for the worker, for replays and for baselines alike.

        Returns:
            The usable events of traffic, each embedding with its row on the grid; what cannot be used; and
            how many canaries there were.
        """
        decoded = decode(kind, record.value, record.content_type)
        dead = decoded.dead
        vectors = _vectors(decoded.events) if kind == "embedding" else [None] * len(decoded.events)
        measured: list[Measured] = list(zip(decoded.events, vectors, strict=True))
        if not self._all_good(kind, measured, record.appended_ms):
            measured = []
            for position, event, vector in zip(decoded.positions, decoded.events, vectors, strict=True):
                try:
                    self._check(event, vector, record.appended_ms)
                except BadEvent as error:
                    dead.append(rejected(record.value or b"", record.content_type, position, error))
                else:
                    measured.append((event, vector))
        if kind == "interaction":
            self._label([event for event, _ in measured if isinstance(event, Interaction)])
        if kind not in CANARY_KINDS:
            return measured, dead, 0
        traffic = [each for each in measured if not is_canary(each[0])]
        return traffic, dead, len(measured) - len(traffic)

    def _all_good(self, kind: Kind, measured: Sequence[Measured], appended_ms: int | None) -> bool:
        """Whether ``_check`` would refuse none; quicker, as nearly all records are good."""
        latest = max([time_of(event) for event, _ in measured], default=0)
        if appended_ms is not None and latest - appended_ms > self._tolerance_ms:
            return False
        return kind != "embedding" or all(
            vector is not None and isinstance(event, Embedding) and self._dim in (None, event.dim)
            for event, vector in measured
        )

    def _check(self, event: Event, vector: Vector | None, appended_ms: int | None) -> None:
        # One time from the far future would close every pane: all that follows would be late.
        if appended_ms is not None and time_of(event) - appended_ms > self._tolerance_ms:
            ahead = (time_of(event) - appended_ms) / 1000
            raise BadEvent("future", f"ts is {ahead:.0f} s ahead of the time at which the record was written")
        if isinstance(event, Embedding):
            if self._dim not in (None, event.dim):
                raise BadEvent("bad_vector", f"{event.dim} numbers, but embedding_dim is set to {self._dim}")
            if vector is None:
                raise BadEvent("bad_vector", "the vector has NaN or infinity, or length zero")


def time_of(event: Event) -> int:
    """Event time in milliseconds; ``envelope.decode`` has brought it to that."""
    assert isinstance(event.ts, int)
    return event.ts


def _vectors(events: Sequence[Event]) -> list[Vector | None]:
    """Each embedding's row on the grid, None where it has no direction; computed dimension by dimension."""
    vectors: list[Vector | None] = [None] * len(events)
    by_dim: dict[int | None, list[int]] = defaultdict(list)
    for position, event in enumerate(events):
        assert isinstance(event, Embedding)
        by_dim[event.dim].append(position)
    for positions in by_dim.values():
        rows, usable = on_grid([event for at in positions if isinstance(event := events[at], Embedding)])
        for position, row, good in zip(positions, rows, usable.tolist(), strict=True):
            if good:
                vectors[position] = row
    return vectors
