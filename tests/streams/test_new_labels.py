"""What was learned of one version of the labels is not compared with another."""

import msgspec
import pytest

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.topics import ALERTS, BASELINES, SUMMARIES
from drift_aware.streams import detect
from drift_aware.streams.detect import Detect
from drift_aware.streams.stage import Input, Output
from drift_aware.streams.summary import Packed
from drift_aware.streams.wire import Snapshot, Watermark, encode
from rig.configuration import make_settings
from rig_events import NOON

SETTINGS = make_settings(
    kafka={"partitions": 1},
    pane_seconds=1,
    allowed_lateness_seconds=0,
    baseline={"events": 500},
    limits={"confirm": False},
)


def closed(
    stage: Detect, first: int, count: int, refusals: int
) -> tuple[dict[bytes, bytes | None], list[Output]]:
    """What comes of so many panes of a hundred answers."""
    for index in range(first, first + count):
        counts = {"events": 100, "refusals_known": 100, "refusals": refusals}
        pane = NOON + index * 1000
        snapshot = Snapshot("interaction", 0, "all", pane, index + 1, {"interaction": Packed(counts)})
        for message in (snapshot, Watermark(0, {"interaction": pane + 1000})):
            stage.fold(Input(SUMMARIES.name, 0, 0, encode(message), ""))
    changes = stage.changes(0)
    return dict(changes.rows), changes.outputs


def test_a_new_labeller_begins_a_new_baseline_and_closes_what_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Detect(SETTINGS)
    stage.restore(0, [], {})
    rows, _ = closed(stage, 0, 5, 3)
    more, outputs = closed(stage, 5, 3, 30)
    opened = [msgspec.json.decode(each.value) for each in outputs if each.topic == ALERTS.name]
    assert {alert["status"] for alert in opened} == {"firing"}

    monkeypatch.setattr(detect, "VERSION", "refusal-99")
    kept = [(key, value) for key, value in (rows | more).items() if value is not None]
    renewed = Detect(SETTINGS)
    renewed.restore(0, kept, {})
    rows, outputs = closed(renewed, 8, 5, 30)
    told = [msgspec.json.decode(each.value) for each in outputs if each.topic == ALERTS.name]
    assert {alert["id"] for alert in told if alert["status"] == "resolved"} == {
        alert["id"] for alert in opened
    }
    fitted = [
        msgspec.json.decode(each.value, type=Baseline) for each in outputs if each.topic == BASELINES.name
    ]
    assert [baseline.since for baseline in fitted] == [NOON + 8000]


def test_the_same_labeller_goes_on() -> None:
    stage = Detect(SETTINGS)
    stage.restore(0, [], {})
    rows, _ = closed(stage, 0, 5, 3)
    again = Detect(SETTINGS)
    again.restore(0, [(key, value) for key, value in rows.items() if value is not None], {})
    _, outputs = closed(again, 5, 5, 3)
    fitted = [
        msgspec.json.decode(each.value, type=Baseline) for each in outputs if each.topic == BASELINES.name
    ]
    assert {baseline.since for baseline in fitted} == {NOON}  # sent again, not fitted again
