"""What publishing costs the application's own thread, beside a bare ``Producer.produce`` of the same event.

    python benchmarks/publisher.py [--events 20000] [--bootstrap HOST:PORT]

Each way is timed call by call, in turn, in one run, with the broker up and then with none; so the ratios
mean something even where the machine is slow. Calls come at a steady pace first, as in an application that
does other work in between, and then in bursts. A call of nothing shows what the clock takes.
"""

import argparse
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median, quantiles

import msgspec
from confluent_kafka import KafkaException, Producer

from drift_aware.producers import Publisher, Redaction
from drift_aware.producers.identifiers import new_id
from drift_aware.schema.events import Interaction
from drift_aware.schema.redaction import Changes
from drift_aware.schema.topics import INTERACTIONS

_NOBODY = "127.0.0.1:9"
# Calls before a pause, and seconds of it. A burst fits into the publisher's queue, a pause empties it.
_PACES = {"at a steady pace": (20, 0.001), "in bursts": (5_000, 0.5)}
_QUERY = "How do I put a chorus after the second verse without it sounding abrupt? " * 2
_ANSWER = "Let the last line of the verse end on the dominant, then bring the drums in early. " * 6
_NUMBERS = (
    "Order 4711 of 2026-11-21: 2 items at 19.99 EUR, parcel 0034043412345678, due 2026-12-01 10:30. " * 5
)
_FINDS = "Write to jo@example.org or call +49 171 1234567, from 192.168.10.7. " * 2
_VECTOR = [0.01] * 1536

Call = Callable[[], object]


def _bare(producer: Producer) -> Call:
    encode = msgspec.json.Encoder().encode

    def call() -> None:
        event = Interaction(
            id=new_id(), ts=time.time_ns() // 1_000_000, user_query=_QUERY, model_response=_ANSWER
        )
        try:
            producer.produce(INTERACTIONS.name, encode(event), key=event.id)
        except (BufferError, KafkaException):  # what a Publisher does not let the application see
            return
        producer.poll(0)

    return call


def _ways(bare: Producer, publisher: Publisher, redacting: Publisher) -> dict[str, Call]:
    ready = Interaction(
        id=new_id(), ts=time.time_ns() // 1_000_000, user_query=_QUERY, model_response=_ANSWER
    )
    return {
        "bare produce": _bare(bare),
        "nothing": lambda: None,
        "publish(event)": lambda: publisher.publish(ready),
        "with id and ts": lambda: publisher.interaction(
            id=ready.id, ts=ready.ts, user_query=_QUERY, model_response=_ANSWER
        ),
        "interaction(...)": lambda: publisher.interaction(user_query=_QUERY, model_response=_ANSWER),
        "with redaction": lambda: redacting.interaction(user_query=_QUERY, model_response=_ANSWER),
        "embedding(list)": lambda: publisher.embedding(_VECTOR, model="embedder"),
    }


def _timed(call: Call, events: int, pace: str) -> list[float]:
    """Microseconds of each call."""
    pause_every, pause_seconds = _PACES[pace]
    clock = time.perf_counter_ns
    costs = []
    for i in range(events):
        start = clock()
        call()
        costs.append((clock() - start) / 1000)
        if i % pause_every == 0:
            time.sleep(pause_seconds)
    return costs


@contextmanager
def _broker() -> Iterator[str]:
    mock = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    address = next(iter(mock.list_topics(INTERACTIONS.name, timeout=10).brokers.values()))
    yield f"{address.host}:{address.port}"


def measure(name: str, bootstrap: str, events: int) -> None:
    """Print the median and the 99th percentile of each way, and both as shares of the bare producer's."""
    bare = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "log_level": 0})
    publisher, redacting = Publisher(bootstrap), Publisher(bootstrap, redact=Redaction())
    for pace in _PACES:
        print(f"broker {name}, {pace}; microseconds a call in the application's thread, {events} calls")
        base: tuple[float, float] | None = None
        for way, call in _ways(bare, publisher, redacting).items():
            _timed(call, 200, pace)
            costs = _timed(call, events, pace)
            middle, high = median(costs), quantiles(costs, n=100)[98]
            base = base or (middle, high)
            print(
                f"  {way:18} median {middle:6.2f} ({middle / base[0]:5.2f} x)"
                f"   p99 {high:7.2f} ({high / base[1]:5.2f} x)"
            )
    for each in (publisher, redacting):
        each.flush(5)
        print(f"  {each.stats}")
        each.close(0)
    bare.purge()


def _redact(redaction: Redaction, fields: dict[str, str]) -> None:
    redaction.apply(dict(fields), Changes())


def measure_redaction(events: int) -> None:
    """Print what the publisher's thread spends on an event's texts."""
    print(f"redaction; microseconds an event in the publisher's thread, {events} events")
    texts = {"plain": (_QUERY, _ANSWER), "with numbers": (_QUERY, _NUMBERS), "with finds": (_FINDS, _ANSWER)}
    for mode in ("mask", "hash"):
        redaction = Redaction(mode, hash_key="benchmark")
        for name, (query, answer) in texts.items():
            fields = {"user_query": query, "model_response": answer}
            costs = _timed(partial(_redact, redaction, fields), events, "at a steady pace")
            print(f"  {mode} {name:14} median {median(costs):7.1f}   p99 {quantiles(costs, n=100)[98]:7.1f}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--bootstrap", help="a broker to use in place of librdkafka's own mock")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    if arguments.bootstrap:
        measure("up", arguments.bootstrap, arguments.events)
    else:
        with _broker() as bootstrap:
            measure("up", bootstrap, arguments.events)
    measure("down", _NOBODY, arguments.events)
    measure_redaction(arguments.events)


if __name__ == "__main__":
    main()
