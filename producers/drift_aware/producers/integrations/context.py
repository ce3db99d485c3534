"""What the application knows of the calls it is making."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Literal, TypedDict, Unpack


class About(TypedDict, total=False):
    """Fields of the events, and for embeddings what they are of."""

    app: str | None
    prompt_version: str | None
    tenant: str | None
    session_id: str | None
    turn: int | None
    intent: str | None
    labels: dict[str, str] | None
    interaction_id: str | None
    kind: Literal["query", "response", "document"] | None


_OF_INTERACTIONS_ONLY = frozenset({"turn", "intent", "labels"})
_OF_EMBEDDINGS_ONLY = frozenset({"interaction_id", "kind"})

_about: ContextVar[Mapping[str, Any]] = ContextVar("drift_aware_about")


@contextmanager
def about(**fields: Unpack[About]) -> Iterator[None]:
    """Say of the calls made inside to whom and to what they belong.

    Holds for the thread or the task it is entered in, and for the tasks that are started inside. One inside
    another adds to it.

    >>> with about(session_id="s-1842", tenant="acme"):
    ...     with about(turn=2):
    ...         of_interaction()
    {'session_id': 's-1842', 'tenant': 'acme', 'turn': 2}
    >>> of_interaction()
    {}
    """
    token = _about.set({**_about.get({}), **fields})
    try:
        yield
    finally:
        with suppress(ValueError):  # left in another context, as web frameworks do with generators
            _about.reset(token)


def of_interaction() -> dict[str, Any]:
    """What was said, as fields of an interaction."""
    return _without(_OF_EMBEDDINGS_ONLY)


def of_embedding() -> dict[str, Any]:
    """What was said, as fields of an embedding."""
    return _without(_OF_INTERACTIONS_ONLY)


def _without(names: frozenset[str]) -> dict[str, Any]:
    said = _about.get(None)
    return {name: value for name, value in said.items() if name not in names} if said else {}
