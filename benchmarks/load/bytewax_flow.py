"""A contender on Bytewax: keyed by segment, folded in tumbling windows of event time, as its documents show.

No recovery store, so nothing is written: a restart begins anew. One worker in one process.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.connectors.stdio import StdOutSink
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.testing import run_main

from load.meter import Meter, task
from load.sums import PANE_MS, Part, parts

# Partitions of a backlog are read apart by far more than events are ever late.
_LATENESS = timedelta(minutes=10)
Sum = tuple[int, Any]


def main(told: dict[str, Any]) -> None:
    """Run until somebody ends it."""
    run_main(_flow(told, Meter(told["events"])))


def _flow(told: dict[str, Any], meter: Meter) -> Dataflow:
    def folded(total: Sum, each: Part) -> Sum:
        meter.add(each[2])
        return total[0] + each[2], total[1] + each[3]

    def late(keyed: tuple[str, tuple[int, Part]]) -> str:
        _, (_, each) = keyed
        meter.add(each[2])
        return "late"

    flow = Dataflow("throughput")
    records = op.input(
        "records",
        flow,
        KafkaSource(
            [told["bootstrap"]],
            [told["topic"]],
            tail=True,
            batch_size=100,
            add_config={"fetch.queue.backoff.ms": "10"},
        ),
    )
    events = op.flat_map(
        "events",
        records,
        lambda record: parts(told["kind"], record.value, record.headers, told["by_hand"]),
    )
    keyed = op.key_on("by segment", events, lambda each: each[0])
    windows = windowing.fold_window(
        "sums",
        keyed,
        windowing.EventClock(lambda each: datetime.fromtimestamp(each[1] / 1000, UTC), _LATENESS),
        windowing.TumblingWindower(timedelta(milliseconds=PANE_MS), datetime(2025, 1, 1, tzinfo=UTC)),
        lambda: (0, 0.0),
        folded,
        lambda one, other: (one[0] + other[0], one[1] + other[1]),
        # Ordered, it would hold every event back until its watermark, by so much slower.
        ordered=False,
    )
    # A partition that is read far behind the others comes too late for its windows; it is read all the same.
    op.output("out", op.map("late", windows.late, late), StdOutSink())
    return flow


if __name__ == "__main__":
    main(task())
