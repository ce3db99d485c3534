"""``watch``: a client of openai or anthropic whose calls are published.

Both libraries are made by one generator, and all of a client's calls, of every resource, stream and raw
response, go through its method ``request``. That method is wrapped on the one client, and nothing else.
"""

import functools
import inspect
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

from drift_aware.producers.integrations import anthropic, openai
from drift_aware.producers.integrations.answers import Dialect
from drift_aware.producers.integrations.calls import (
    UNNOTICED,
    Call,
    ChatCall,
    EmbeddingCall,
    EmbeddingKind,
    Prices,
    Watching,
)
from drift_aware.producers.integrations.shapes import text
from drift_aware.producers.integrations.streams import follow
from drift_aware.producers.interface import EventPublisher

_Client = TypeVar("_Client")

_DIALECTS: Mapping[str, Mapping[str, Dialect]] = {"openai": openai.DIALECTS, "anthropic": anthropic.DIALECTS}
# How `with_raw_response` and `with_streaming_response` tell `request` what they want.
_RAW_RESPONSE = "X-Stainless-Raw-Response"
_BODY_NOT_READ = "stream"


def watch(
    client: _Client,
    publisher: EventPublisher,
    *,
    prices: Prices | None = None,
    embeddings: EmbeddingKind = "query",
) -> _Client:
    """Publish the calls of a client, and of the copies it makes of itself.

    A chat is published as an interaction when its answer is there, a vector as an embedding. Calls give and
    raise what they gave and raised before; what goes wrong in here is logged, and costs them nothing.

    Args:
        client: an ``OpenAI``, ``AzureOpenAI`` or ``Anthropic``, or one of their asynchronous sisters.
        publisher: by whom.
        prices: model to US dollars for a million tokens of input, and of output; without it costs are not
            said.
        embeddings: of which texts embeddings are, where ``about(kind=…)`` does not say.

    Returns:
        The same client.

    Raises:
        TypeError: it is another client.
        ValueError: a price is no amount.
    """
    dialects = _dialects(client)
    watching = Watching(publisher, _checked(prices or {}), embeddings)
    # mypy would not let a method be replaced, and has every reason.
    watched: Any = client
    request = _as_it_was(watched.request)
    wrapper = _waiting if inspect.iscoroutinefunction(request) else _blocking
    watched.request = wrapper(request, watching, dialects)
    copy = _as_it_was(watched.copy)

    @functools.wraps(copy)
    def watched_copy(*args: Any, **kwargs: Any) -> Any:
        return watch(copy(*args, **kwargs), publisher, prices=prices, embeddings=embeddings)

    watched.copy = watched.with_options = _marked(watched_copy, copy)
    return client


def interaction_id(answer: object) -> str | None:
    """The interaction as which a call was published, for its embedding and feedback.

    Args:
        answer: a response, a raw response or a stream of a watched client.

    Returns:
        The id; None if the call is not published as an interaction.
    """
    found = text(answer, "interaction_id")
    # What `.stream()` gives reads from the stream that a call has given.
    return found if found is not None else text(answer, "_raw_stream", "interaction_id")


def _dialects(client: object) -> Mapping[str, Dialect]:
    for base in type(client).__mro__:
        if (found := _DIALECTS.get(base.__module__.partition(".")[0])) is not None:
            return found
    raise TypeError(f"watch takes a client of openai or anthropic, not a {type(client).__name__}")


def _checked(prices: Prices) -> Prices:
    for model, price in prices.items():
        if len(price) != 2 or not all(math.isfinite(each) and each >= 0 for each in price):
            raise ValueError(
                f"the price of {model!r} is not two amounts in US dollars, for input and for output"
            )
    return dict(prices)


def _marked(wrapper: Any, wrapped: Any) -> Any:
    wrapper.drift_aware_wraps = wrapped
    return wrapper


def _as_it_was(method: Any) -> Any:
    """The method before a client was watched, so that one that is watched again is not published twice."""
    return getattr(method, "drift_aware_wraps", method)


def _blocking(request: Any, watching: Watching, dialects: Mapping[str, Dialect]) -> Any:
    @functools.wraps(request)
    def watched(cast_to: Any, options: Any, **kwargs: Any) -> Any:
        call = _begun(watching, dialects, options)
        if call is None:
            return request(cast_to, options, **kwargs)
        try:
            response = request(cast_to, options, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        parsed = response
        with UNNOTICED:
            if _is_raw(options):
                parsed = None if _is_unread(options, kwargs) else response.parse()
        _come(call, response, parsed, kwargs)
        return response

    return _marked(watched, request)


def _waiting(request: Any, watching: Watching, dialects: Mapping[str, Dialect]) -> Any:
    @functools.wraps(request)
    async def watched(cast_to: Any, options: Any, **kwargs: Any) -> Any:
        call = _begun(watching, dialects, options)
        if call is None:
            return await request(cast_to, options, **kwargs)
        try:
            response = await request(cast_to, options, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        parsed = response
        with UNNOTICED:
            if _is_raw(options):
                parsed = None if _is_unread(options, kwargs) else response.parse()
                # Of some releases it is to be awaited.
                parsed = await parsed if inspect.isawaitable(parsed) else parsed
        _come(call, response, parsed, kwargs)
        return response

    return _marked(watched, request)


def _begun(watching: Watching, dialects: Mapping[str, Dialect], options: Any) -> Call | None:
    """The call, if it is one that is watched. An answer in the background is not there when it returns."""
    with UNNOTICED:
        path, body = options.url.partition("?")[0], options.json_data
        if options.method != "post" or not isinstance(body, Mapping) or body.get("background") is True:
            return None
        if path == openai.EMBEDDINGS:
            return EmbeddingCall(watching, body)
        if (dialect := dialects.get(path)) is not None:
            return ChatCall(watching, dialect, body)
    return None


def _is_raw(options: Any) -> bool:
    return text(options.headers, _RAW_RESPONSE) is not None


def _is_unread(options: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether the application wants to read the body itself; a stream is not read by being made."""
    return text(options.headers, _RAW_RESPONSE) == _BODY_NOT_READ and not kwargs.get("stream")


def _come(call: Call, response: Any, parsed: Any, kwargs: Mapping[str, Any]) -> None:
    """Give the response its id, and publish it, at once or when its stream ends."""
    if isinstance(call, EmbeddingCall):
        call.answered(parsed)
        return
    with suppress(Exception):  # a text has no attributes
        # Beside the fields, so that the response compares and is written out as it would be without.
        object.__setattr__(response, "interaction_id", call.id)
        object.__setattr__(parsed, "interaction_id", call.id)
    if kwargs.get("stream"):
        with UNNOTICED:
            follow(parsed, call)
            return
    call.answered(parsed)
