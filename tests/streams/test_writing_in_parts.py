"""However much there is to write and send, the worker's loop is not kept from turning for long."""

from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.topics import INTERACTIONS
from drift_aware.streams.labels import label
from drift_aware.streams.stage import MANY_ROWS, Input
from drift_aware.streams.summarise import Summarise
from drift_aware.streams.wire import Census, Fitted, Snapshot, Watermark, decode
from rig.configuration import make_settings
from rig_events import NOON, interaction

Message = Snapshot | Census | Watermark | Fitted


def summarise(most_panes: int | None = None) -> Summarise:
    """A stage that has one partition, and room for every segment."""
    settings = make_settings("nowhere:1", pane_seconds=10, segments=["tenant"], max_segments=MANY_ROWS)
    made = Summarise(settings, label, most_panes=most_panes)
    made.restore(0, [], {})
    return made


def fold(made: Summarise, numbers: range) -> None:
    """An event for each number: of a tenant and in a pane of its own."""
    events = [interaction(each, ts=NOON + 10_000 * each, tenant=f"t{each}") for each in numbers]
    made.fold(Input(INTERACTIONS.name, 0, numbers.start, encode_rows(events), ROWS))


def sent(made: Summarise) -> list[Message]:
    return [decode(output.value) for output in made.watermarks(0, lambda _: False)]


def of(kind: type[Message], messages: list[Message]) -> list[Message]:
    return [message for message in messages if isinstance(message, kind)]


def test_panes_too_many_for_one_call_go_out_in_parts_and_the_watermark_after_the_last() -> None:
    whole, parts = summarise(), summarise(most_panes=5)
    for made in (whole, parts):
        fold(made, range(20))
        made.changes(0)
    at_once = sent(whole)
    assert not whole.urgent

    found: list[Message] = []
    while not of(Watermark, found):
        assert parts.urgent == bool(found)
        part = sent(parts)
        assert 0 < len(of(Snapshot, part)) <= 5
        found += part
    assert not parts.urgent
    assert sent(parts) == []
    assert len(of(Snapshot, found)) > 5
    for kind in (Snapshot, Census, Watermark):
        assert of(kind, found) == of(kind, at_once)


def test_a_partition_that_goes_is_not_waited_for() -> None:
    made = summarise(most_panes=1)
    fold(made, range(20))
    made.changes(0)
    sent(made)
    assert made.urgent
    made.forget()
    assert not made.urgent


def test_rows_that_are_many_wait_no_longer() -> None:
    made, taken = summarise(), 0
    while not made.urgent:
        fold(made, range(taken, taken + 100))
        taken += 100
    rows = len(made.changes(0).rows)
    assert MANY_ROWS <= rows < 1.2 * MANY_ROWS
    assert not made.urgent
