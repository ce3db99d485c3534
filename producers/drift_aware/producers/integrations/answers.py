"""What can be known of an answer, whichever API it came from."""

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct


class Answer(Struct, kw_only=True):
    """An answer, or as much as has come of it.

    Attributes:
        text: what was said; None of an answer that only calls tools.
        refusal: True if the API says that the model refuses, else None: the worker looks at the text.
        finish_reason: in the API's word.
        error: why the API says it has failed.
        model: which has answered, as the API calls it.
        input_tokens: as they are billed, cached ones included.
        output_tokens: as they are billed.
    """

    text: str | None = None
    refusal: bool | None = None
    finish_reason: str | None = None
    error: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Assembly(Protocol):
    """An answer that comes in chunks."""

    def add(self, chunk: Any) -> None:
        """Look at the next chunk."""

    def answer(self) -> Answer:
        """What has come so far."""


class Dialect(Protocol):
    """How one kind of call asks and answers. Its methods do no IO and keep nothing."""

    def question(self, body: Mapping[str, Any]) -> str | None:
        """What the user has asked last."""

    def answer(self, response: Any) -> Answer:
        """What has come back at once."""

    def assembly(self) -> Assembly:
        """For what comes back in chunks."""
