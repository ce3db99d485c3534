"""What a pane had of each metric goes out with its readings, by the units that the detectors have."""

import msgspec

from drift_aware.schema.alerts import Readings, Tally
from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.topics import INTERACTIONS, READINGS, SOURCES, SUMMARIES
from drift_aware.streams.detect import Detect
from drift_aware.streams.labels import label
from drift_aware.streams.summarise import Summarise
from drift_aware.streams.summary import Summary
from drift_aware.streams.tallies import tallies
from rig.configuration import make_settings
from rig.rim import Rim, Topics
from rig_events import NOON, interaction

SETTINGS = make_settings("nowhere:1", kafka={"partitions": 1}, pane_seconds=10, allowed_lateness_seconds=0)


def test_embeddings_are_told_by_the_reference_that_scored_all_of_them() -> None:
    counts = {"events": 4, "scored/aa": 4}
    distances = {"distance": {3: 3, 10: 1}}
    name = "embedding/query/m/384"
    assert tallies({name: Summary(counts, None, distances)}) == {"query_embedding/aa": Tally(4, 19.0)}
    for partly in ({"events": 4, "scored/aa": 3}, {"events": 4}, counts | {"scored/bb": 4}):
        assert tallies({name: Summary(partly, None, distances)}) == {}


def test_of_a_conversation_only_the_first_event_is_in_a_tally_and_labels_of_the_worker_are() -> None:
    topics, stage = Topics(), Summarise(SETTINGS, label)
    said = {"refusal": None, "latency_ms": 500.0, "user_query": "Sing it!"}
    events = [
        interaction(
            1, ts=NOON, session_id="s", **said, model_response="I'm sorry, but I can't help with that."
        ),
        interaction(2, ts=NOON + 1, session_id="s", **said, model_response="I cannot help with that."),
        interaction(3, ts=NOON + 2, session_id=None, **said, model_response="La la la."),
    ]
    topics.append(INTERACTIONS.name, 0, encode_rows(events), ROWS)
    first = Rim(stage, topics, [(INTERACTIONS.name, 0)])
    first.fold_all()
    first.write()
    first.send(stage.watermarks(0, set(SOURCES).__contains__))
    second = Rim(Detect(SETTINGS), topics, [(SUMMARIES.name, 0)])
    second.fold_all()
    second.write()
    told = [
        msgspec.json.decode(each.value or b"", type=Readings)
        for each in second.sent
        if each.topic == READINGS.name
    ]
    whole = next(each for each in told if each.segment == "all")
    assert whole.totals == {"interaction": 3}
    assert whole.tallies["refusal_rate"] == Tally(2, 1.0, rate=True)
    assert whole.tallies["latency_ms"] == Tally(2, 1000.0)
