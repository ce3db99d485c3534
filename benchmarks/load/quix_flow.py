"""A contender on Quix Streams: tumbling windows of event time, reduced, as its documents show.

Records are keyed by their segment, so that nothing has to be sent through the broker once more. State is kept
as pickles, because arrays as JSON, its default, take as long again; changelogs are on, as they are unless
switched off.
"""

import pickle
import tempfile
from typing import Any

from quixstreams import Application
from quixstreams.state.rocksdb import RocksDBOptions

from load.meter import Meter, task
from load.sums import PANE_MS, Part, parts

_GRACE_MS = 30_000
Sum = tuple[int, Any]


def main(told: dict[str, Any]) -> None:
    """Run until somebody ends it."""
    meter = Meter(told["events"])
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            told["bootstrap"],
            consumer_group=told["group"],
            auto_offset_reset="earliest",
            state_dir=folder,
            # It states its own fork of pickling's risk: these bytes are read by who has written them.
            rocksdb_options=RocksDBOptions(dumps=pickle.dumps, loads=pickle.loads),
            consumer_extra_config={"fetch.queue.backoff.ms": 10},
            loglevel="ERROR",
        )
        _build(app, told, meter)
        app.run()


def _build(app: Any, told: dict[str, Any], meter: Meter) -> None:
    def opened(value: bytes, _key: object, _ts: int, headers: Any) -> list[Part]:
        return parts(told["kind"], value, headers, told["by_hand"])

    def first(each: Part) -> Sum:
        meter.add(each[2])
        return each[2], each[3]

    def further(total: Sum, each: Part) -> Sum:
        meter.add(each[2])
        return total[0] + each[2], total[1] + each[3]

    topic = app.topic(told["topic"], value_deserializer="bytes", key_deserializer="str")
    events = app.dataframe(topic).apply(opened, expand=True, metadata=True)
    events = events.set_timestamp(lambda each, _key, _ts, _headers: each[1])
    events.tumbling_window(PANE_MS, grace_ms=_GRACE_MS).reduce(further, first).final()


if __name__ == "__main__":
    main(task())
