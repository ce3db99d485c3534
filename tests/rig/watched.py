"""Clients of the real libraries, watched, and the models they talk to: blocking and waiting ones alike."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anthropic
import openai

from drift_aware.producers import MemoryPublisher
from drift_aware.producers.integrations import watch
from rig.models import MODEL, Models

QUESTION = "Where is my parcel?"
_Told = TypeVar("_Told")
_MESSAGES: Mapping[str, Any] = {"messages": [{"role": "user", "content": QUESTION}]}


@dataclass(frozen=True)
class Api:
    """One way to ask a model.

    Attributes:
        client: the class of the client.
        http: the class of what it talks through.
        at: what the client is given, by the address of the models.
        create: the method of a client that asks, by its names.
        given: what it is asked with.
        path: where it asks.
    """

    client: type[Any]
    http: type[Any]
    at: Callable[[str], Mapping[str, Any]]
    create: str
    given: Mapping[str, Any]
    path: str

    def make(self, url: str, **options: Any) -> Any:
        """A client of the models at that address."""
        # Most of what a client takes to be made are the certificates it does not need here.
        http = self.http(verify=False)
        given = {"api_key": "sk-a-secret", "max_retries": 0, **self.at(url), **options}
        return self.client(http_client=http, **given)

    def resource(self, client: Any) -> Any:
        """What has the methods ``create`` and ``stream``."""
        for name in self.create.split("."):
            client = getattr(client, name)
        return client


def _openai(url: str) -> Mapping[str, Any]:
    return {"base_url": f"{url}/v1"}


def _azure(url: str) -> Mapping[str, Any]:
    return {"azure_endpoint": url, "api_version": "2024-10-21"}


def _anthropic(url: str) -> Mapping[str, Any]:
    return {"base_url": url}


def _apis(name: str, library: Any, client: str, *rest: Any) -> dict[str, Api]:
    blocking = Api(getattr(library, client), library.DefaultHttpxClient, *rest)
    waiting = Api(getattr(library, f"Async{client}"), library.DefaultAsyncHttpxClient, *rest)
    return {f"{name}-sync": blocking, f"{name}-async": waiting}


_CHAT = ("chat.completions", _MESSAGES, "/chat/completions")
_INPUT = {"input": [{"role": "user", "content": QUESTION}]}
_MESSAGE = {**_MESSAGES, "max_tokens": 100}

APIS: Mapping[str, Api] = {
    **_apis("chat", openai, "OpenAI", _openai, *_CHAT),
    **_apis("azure", openai, "AzureOpenAI", _azure, *_CHAT),
    **_apis("responses", openai, "OpenAI", _openai, "responses", _INPUT, "/responses"),
    **_apis("messages", anthropic, "Anthropic", _anthropic, "messages", _MESSAGE, "/messages"),
}


@dataclass
class Desk:
    """An application that asks, and what was published of it."""

    api: Api
    models: Models
    publisher: Any = field(default_factory=lambda: MemoryPublisher(app="shop"))
    options: Mapping[str, Any] = field(default_factory=dict)

    def tell(self, story: Callable[[Any], Awaitable[_Told]], **client: Any) -> _Told:
        """Do something with a watched client.

        Args:
            story: given the client.
            client: more of its options.
        """

        async def told() -> _Told:
            made = self.api.make(self.models.url, **client)
            watched = watch(made, self.publisher, **self.options)
            assert watched is made
            try:
                return await story(watched)
            finally:
                await settled(watched.close())

        return asyncio.run(told())

    def asking(self, client: Any, **more: Any) -> Any:
        """A call; to be settled."""
        return self.api.resource(client).create(**{"model": MODEL, **self.api.given, **more})

    def ask(self, **more: Any) -> Any:
        """Ask once; the response, or the stream read to its end."""

        async def story(client: Any) -> Any:
            answer = await settled(self.asking(client, **more))
            if more.get("stream"):
                async for _ in chunks(answer):
                    pass
            return answer

        return self.tell(story)

    @property
    def only(self) -> Any:
        """The interaction, of which there is one."""
        [found] = self.publisher.interactions
        assert self.publisher.dropped == {}
        return found


async def settled(value: Any) -> Any:
    """The value, waited for if it is to be."""
    return await value if inspect.isawaitable(value) else value


async def chunks(stream: Any) -> AsyncIterator[Any]:
    """What a stream of either kind gives."""
    if hasattr(stream, "__aiter__"):
        async for chunk in stream:
            yield chunk
    else:
        for chunk in stream:
            yield chunk
