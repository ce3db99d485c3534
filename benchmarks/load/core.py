"""A contender that is the worker's first stage without Faust: a plain loop around ``Summarise``.

It writes nothing and sends nothing: rows and summaries are made as often as in the worker, and
dropped. What the worker costs beyond this is Faust, the changelogs and the second stage.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from drift_aware.schema.envelope import content_type
from drift_aware.schema.settings import Settings
from drift_aware.streams.labels import label
from drift_aware.streams.stage import Input
from drift_aware.streams.summarise import Summarise
from drift_aware.streams.worker import FLUSH_SECONDS, Pace, collect_seldom
from load.meter import Meter, task
from load.source import batches


def main(told: dict[str, Any]) -> None:
    """Sum all up."""
    partitions = range(told["partitions"])
    stage = Summarise(Settings(kafka={"partitions": told["partitions"]}, **told["settings"]), label)
    for partition in partitions:
        stage.restore(partition, [], {})
    collect_seldom()
    meter, pace, looked = Meter(told["events"]), Pace(), time.monotonic()
    for messages in batches(told):
        for message in messages:
            if letters := stage.fold(_input(message)):
                raise SystemExit(f"a dead letter: {letters[0].message}")
        if time.monotonic() - looked >= FLUSH_SECONDS and pace.is_due():
            looked = time.monotonic()
            for _ in pace.through(_written(stage, partitions)):
                pass
        meter.add(len(messages) * told["packed"])
        if meter.done:
            return


def _written(stage: Summarise, partitions: Iterable[int]) -> Iterator[None]:
    for partition in partitions:
        stage.changes(partition)
        stage.watermarks(partition, lambda _: False)
        yield


def _input(message: Any) -> Input:
    return Input(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        value=message.value(),
        content_type=content_type(message.headers()),
        appended_ms=message.timestamp()[1],
        key=message.key(),
    )


if __name__ == "__main__":
    main(task())
