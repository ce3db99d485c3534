"""What the middleware adds to a request, and the handler of LangChain to a run.

    python benchmarks/gateways.py [--calls 1000] [--rounds 10]

Each call is made twice, as it is and watched, and is answered from memory; the Publisher is the real one,
with the embedded broker. LangChain is compared with a handler that does nothing, because to have any costs
something of its own. Of a request all counts, also what is done when the client has its answer.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.runnables import RunnableConfig, RunnableLambda

from document import table
from drift_aware.producers import Publisher
from drift_aware.producers.integrations.asgi import App, Chat, DriftAwareMiddleware, Receive, Scope, Send
from drift_aware.producers.integrations.exchange import Message
from drift_aware.producers.integrations.langchain import DriftAwareHandler
from drift_aware.producers.interface import EventPublisher
from drift_aware.streams.embedded import EmbeddedBroker, every_topic
from watch import Span, Times, paced, quietest

_CHUNKS = 100
_PARTITIONS = 4
_QUESTION = "How do I put a chorus after the second verse without it sounding abrupt? " * 2
_ANSWER = "Let the last line of the verse end on the dominant, then bring the drums in early. " * 6
_ASKED: Message = {"type": "http.request", "body": json.dumps({"question": _QUESTION}).encode()}
_ANSWERED = json.dumps({"answer": _ANSWER}).encode()
_PIECE = b'data: {"delta": "a few words "}\n\n'
_HEADS = ["call", "bare p50", "added p50", "added p99", "p50 added / bare", "CPU added p50", "CPU added p99"]


class _Idle(BaseCallbackHandler):
    run_inline = True


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What the middleware and the handler of LangChain add.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=1000, help="of each kind in a round")
    given = parser.parse_args()
    with EmbeddedBroker(every_topic(_PARTITIONS)) as broker, Publisher(broker.bootstrap) as publisher:
        rounds = [measure(publisher, given.calls) for _ in range(given.rounds)]
    print(table(_HEADS, [quietest(rounds, name).cells(name) for name in rounds[0]]))


def measure(publisher: EventPublisher, calls: int) -> dict[str, Times]:
    """The times of each kind of call, and of a chunk of a stream."""
    chats = {"POST /chat": Chat(question="question", answer="answer", piece="delta")}
    model = FakeListChatModel(responses=[_ANSWER])
    chain = RunnableLambda(lambda text: text) | model
    idle: RunnableConfig = {"callbacks": [_Idle()]}
    watched: RunnableConfig = {"callbacks": [DriftAwareHandler(publisher)]}
    whole = DriftAwareMiddleware(_whole, publisher, chats=chats)
    streamed = DriftAwareMiddleware(_streamed, publisher, chats=chats)
    return {
        "a request": _times(_served(_whole), _served(whole), calls),
        "a chunk of a stream": _times(
            _served(_streamed), _served(streamed), max(calls // _CHUNKS, 2), parts=_CHUNKS
        ),
        "a model in LangChain": _times(
            lambda: model.invoke(_QUESTION, idle), lambda: model.invoke(_QUESTION, watched), calls
        ),
        "a chain of two": _times(
            lambda: chain.invoke(_QUESTION, idle), lambda: chain.invoke(_QUESTION, watched), calls
        ),
    }


def _times(bare: Callable[[], object], watched: Callable[[], object], calls: int, parts: int = 1) -> Times:
    times = Times()
    for _ in paced(calls):
        with Span() as without:
            bare()
        with Span() as with_us:
            watched()
        for span in (without, with_us):
            span.wall_ns //= parts
            span.cpu_ns //= parts
        times.add(without, with_us)
    return times


def _served(app: App) -> Callable[[], None]:
    """Ask it once; nothing in it ever waits, so that no event loop is needed."""

    def serve() -> None:
        scope: Scope = {"type": "http", "method": "POST", "path": "/chat", "headers": []}
        asked: Any = app(scope, _receive, _send)
        try:
            asked.send(None)
        except StopIteration:
            return
        raise AssertionError("it waits")

    return serve


async def _receive() -> Message:
    return _ASKED


async def _send(_: Message) -> None: ...


async def _whole(_: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(_start(b"application/json"))
    await send({"type": "http.response.body", "body": _ANSWERED})


async def _streamed(_: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(_start(b"text/event-stream"))
    for _number in range(_CHUNKS):
        await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _start(content_type: bytes) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]}


if __name__ == "__main__":
    main()
