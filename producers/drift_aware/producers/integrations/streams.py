"""An answer that comes in chunks: each is handed on first, and looked at when the next one is asked for.

The streams of both libraries keep what they read from in ``_iterator``, and are closed by closing the
response of the HTTP client. So a stream stays the object it is, with an iterator of ours between it and its
chunks.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Self
from weakref import WeakMethod, ref

from drift_aware.producers.integrations.answers import Answer
from drift_aware.producers.integrations.calls import CANCELLED, INCOMPLETE, UNNOTICED, ChatCall


def follow(stream: Any, call: ChatCall) -> None:
    """Publish the call when the stream ends, breaks, is closed or forgotten, whichever comes first.

    Args:
        stream: a ``Stream`` or ``AsyncStream`` of openai or anthropic, not read from yet.
        call: what the stream answers.

    Raises:
        AttributeError: it is none of these; it is as it was.
    """
    chunks, response = stream._iterator, stream.response
    if hasattr(chunks, "__anext__"):
        waited = _AsyncChunks(chunks, call)
        response.aclose = waited.before(response.aclose)
        stream._iterator = waited
    else:
        followed = _Chunks(chunks, call)
        response.close = followed.before(response.close)
        stream._iterator = followed


class _Following:
    def __init__(self, call: ChatCall) -> None:
        self._call = call
        self._assembly = call.dialect.assembly()
        self._latest: Any = None
        self._reading = False
        self._over = False

    def before(self, close: Callable[..., Any]) -> Callable[..., Any]:
        """``close``, which ends the call; while we read, it is only that the response has come to its end."""
        # Weak, or a stream that is dropped would wait for the garbage collector to give its connection back.
        own, closed = ref(self), WeakMethod(close)

        def closing(*args: Any, **kwargs: Any) -> Any:
            following, method = own(), closed()
            if following is not None and not following._reading:
                following._ended(CANCELLED)
            return method(*args, **kwargs) if method is not None else None

        return closing

    def __del__(self) -> None:
        self._ended(CANCELLED)

    def _look(self) -> None:
        chunk, self._latest = self._latest, None
        if chunk is not None:
            with UNNOTICED:
                self._assembly.add(chunk)

    def _answer(self) -> Answer:
        self._look()
        self._over = True
        with UNNOTICED:
            return self._assembly.answer()
        return Answer()

    def _ended(self, otherwise: str) -> None:
        """Publish it with the reason the API gives, or this one."""
        if not self._over:
            answer = self._answer()
            answer.finish_reason = answer.finish_reason or otherwise
            self._call.ended(answer)

    def _broken(self, error: BaseException) -> None:
        self._call.failed(error, self._answer())


class _Chunks(_Following):
    def __init__(self, chunks: Iterator[Any], call: ChatCall) -> None:
        super().__init__(call)
        self._chunks = chunks

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        self._look()
        self._reading = True
        try:
            self._latest = chunk = next(self._chunks)
        except StopIteration:
            self._ended(INCOMPLETE)
            raise
        except BaseException as error:
            self._broken(error)
            raise
        finally:
            self._reading = False
        return chunk


class _AsyncChunks(_Following):
    def __init__(self, chunks: AsyncIterator[Any], call: ChatCall) -> None:
        super().__init__(call)
        self._chunks = chunks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        self._look()
        self._reading = True
        try:
            self._latest = chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._ended(INCOMPLETE)
            raise
        except BaseException as error:
            self._broken(error)
            raise
        finally:
            self._reading = False
        return chunk
