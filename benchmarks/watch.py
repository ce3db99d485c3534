"""What watching a client adds to its calls.

    python benchmarks/watch.py [--rounds 10] [--calls 1000]

The real client of openai talks to a transport that answers from memory, and the real Publisher to the
embedded broker. Each call is timed twice, outside of what ``watch`` has put around it and inside; the
difference is what it adds: once by the clock on the wall, in which other programs of the machine show, and
once by the processor's time of the thread. Calls come at a steady pace, as in an application: a loop without
a pause would measure how two threads share one interpreter. Of several rounds the quietest is shown: the one
in which the bare calls were the fastest.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, Self

import httpx
import openai

from document import table
from drift_aware.producers import Publisher
from drift_aware.producers.integrations import watch
from drift_aware.producers.interface import EventPublisher
from drift_aware.streams.embedded import EmbeddedBroker, every_topic

_CHUNKS = 100
_DIM = 1536
_MODEL = "small-1"
_PARTITIONS = 4
_PAUSE_EVERY = 10
_PAUSE_SECONDS = 0.001
_QUESTION = "How do I put a chorus after the second verse without it sounding abrupt? " * 2
_ANSWER = "Let the last line of the verse end on the dominant, then bring the drums in early. " * 6
_MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": _QUESTION}]
_USAGE = {"prompt_tokens": 30, "completion_tokens": 120, "total_tokens": 150}
_HEADS = ["call", "bare p50", "added p50", "added p99", "p50 added / bare", "CPU added p50", "CPU added p99"]


@dataclass
class Times:
    """Of one kind of call, in microseconds: without us, and what we add.

    Attributes:
        bare: inside of what ``watch`` has put around it.
        added: outside of it, less that.
        cpu: the same, of the processor.
    """

    bare: list[float] = field(default_factory=list)
    added: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, bare: "Span", watched: "Span") -> None:
        """Note a call."""
        self.bare.append(bare.wall_ns / 1000)
        self.added.append((watched.wall_ns - bare.wall_ns) / 1000)
        self.cpu.append((watched.cpu_ns - bare.cpu_ns) / 1000)

    def cells(self, name: str) -> list[str]:
        """As a line of the table."""
        bare, added, cpu = median(self.bare), median(self.added), median(self.cpu)
        times = [bare, added, p99(self.added), cpu, p99(self.cpu)]
        cells = [f"{each:.1f} µs" for each in times]
        return [name, *cells[:3], f"{added / bare:.3f}", *cells[3:]]


class Span:
    """How long something takes, in nanoseconds: by the wall, and of this thread's processor."""

    def __enter__(self) -> Self:
        self.wall_ns, self.cpu_ns = time.perf_counter_ns(), time.thread_time_ns()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_ns = time.perf_counter_ns() - self.wall_ns
        self.cpu_ns = time.thread_time_ns() - self.cpu_ns


def p99(found: list[float]) -> float:
    """What one in a hundred exceeds."""
    return quantiles(found, n=100)[98]


class Stopwatch:
    """Times ``request`` of a client on both sides of what ``watch`` puts around it."""

    def __init__(self, client: openai.OpenAI, publisher: EventPublisher) -> None:
        self.times = Times()
        self._bare = Span()
        any_client: Any = client
        self._request = any_client.request
        any_client.request = self._inner
        watch(client, publisher)
        self._watched = any_client.request
        any_client.request = self._outer

    def _inner(self, *args: Any, **kwargs: Any) -> Any:
        with self._bare:
            return self._request(*args, **kwargs)

    def _outer(self, *args: Any, **kwargs: Any) -> Any:
        with Span() as span:
            response = self._watched(*args, **kwargs)
        self.times.add(self._bare, span)
        return response


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What watching a client adds to its calls.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=1000, help="of each kind in a round")
    given = parser.parse_args()
    with EmbeddedBroker(every_topic(_PARTITIONS)) as broker, Publisher(broker.bootstrap) as publisher:
        rounds = [measure(publisher, given.calls) for _ in range(given.rounds)]
    print(table(_HEADS, [quietest(rounds, name).cells(name) for name in rounds[0]]))


def quietest(rounds: Sequence[Mapping[str, Times]], name: str) -> Times:
    """The times of the round in which nothing else was in the way."""
    return min((each[name] for each in rounds), key=lambda times: median(times.bare))


def measure(publisher: EventPublisher, calls: int) -> dict[str, Times]:
    """The times of each kind of call, and of a chunk of a stream."""
    found = {}
    for name, ask in {"chat": _chat, "embedding": _embedding}.items():
        with client() as asked:
            stopwatch = Stopwatch(asked, publisher)
            for _ in paced(calls):
                ask(asked)
        found[name] = stopwatch.times
    return found | {"a chunk of a stream": chunks(publisher, max(calls // _CHUNKS, 2))}


def chunks(publisher: EventPublisher, streams: int) -> Times:
    """What a chunk takes; what comes after the last one, when the call is published, does not count."""
    times = Times()
    with client() as asked:
        watch(asked, publisher)
        for _ in paced(streams):
            bare = Span()
            with asked.chat.completions.create(model=_MODEL, messages=_MESSAGES, stream=True) as stream:
                watched: Any = stream._iterator
                watched._chunks = timed(watched._chunks, bare)
                for _ in range(_CHUNKS):
                    with Span() as span:
                        next(stream)
                    times.add(bare, span)
    return times


def timed(chunks: Iterator[Any], span: Span) -> Iterator[Any]:
    """The chunks; how long the last one took is in the span."""
    while True:
        with span:
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def client() -> openai.OpenAI:
    """One that talks to nobody."""
    transport = httpx.MockTransport(_answered)
    return openai.OpenAI(api_key="none", http_client=openai.DefaultHttpxClient(transport=transport))


def paced(calls: int) -> Iterator[int]:
    """Numbers, with pauses between."""
    for number in range(calls):
        yield number
        if number % _PAUSE_EVERY == 0:
            time.sleep(_PAUSE_SECONDS)


def _chat(client: openai.OpenAI) -> None:
    client.chat.completions.create(model=_MODEL, messages=_MESSAGES)


def _embedding(client: openai.OpenAI) -> None:
    client.embeddings.create(model=_MODEL, input=_QUESTION, encoding_format="float")


def _completion(kind: str, **more: object) -> dict[str, object]:
    return {"id": "c", "object": kind, "created": 1, "model": _MODEL, **more}


def _streamed() -> bytes:
    pieces = [{"index": 0, "delta": {"content": "a few words "}, "finish_reason": None}] * _CHUNKS
    found = [json.dumps(_completion("chat.completion.chunk", choices=[each])) for each in pieces]
    return "".join(f"data: {each}\n\n" for each in [*found, "[DONE]"]).encode()


_CHOICE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": _ANSWER}}
_VECTOR = {"object": "embedding", "index": 0, "embedding": [0.01] * _DIM}
_ANSWERS: dict[str, Callable[[], httpx.Response]] = {
    "/v1/chat/completions": lambda: httpx.Response(
        200, json=_completion("chat.completion", choices=[_CHOICE], usage=_USAGE)
    ),
    "/v1/embeddings": lambda: httpx.Response(
        200, json={"object": "list", "model": _MODEL, "data": [_VECTOR]}
    ),
}
_STREAMED = _streamed()


def _answered(request: httpx.Request) -> httpx.Response:
    if b'"stream":true' in request.content:
        return httpx.Response(200, content=_STREAMED, headers={"Content-Type": "text/event-stream"})
    return _ANSWERS[request.url.path]()


if __name__ == "__main__":
    main()
