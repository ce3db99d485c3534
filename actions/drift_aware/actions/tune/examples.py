"""Which answers a model is trained on, and in what shape: pure."""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

from drift_aware.schema.redaction import Redaction
from drift_aware.schema.tune_settings import Tune

Left = Literal["refusal", "length", "redaction", "duplicate", "near_duplicate"]
_json = msgspec.json.Encoder()


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, msgspec.Meta(min_length=1)]


class Chat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of training data, as OpenAI's fine-tuning reads it."""

    messages: Annotated[list[Message], msgspec.Meta(min_length=2)]


_chats = msgspec.json.Decoder(Chat)


def line_of(question: str, answer: str, system_prompt: str | None) -> bytes:
    """A line of training data."""
    turns = [Message("user", question), Message("assistant", answer)]
    return _json.encode(Chat(([Message("system", system_prompt)] if system_prompt else []) + turns))


def wrong_with(line: bytes) -> str | None:
    """What is wrong with a line of training data; None if nothing is.

    >>> wrong_with(line_of("why?", "because", None))
    >>> wrong_with(b'{"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}')
    'the last turn is not the assistant'
    """
    try:
        turns = _chats.decode(line).messages
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return str(error)
    if turns[-1].role != "assistant":
        return "the last turn is not the assistant"
    if not any(turn.role == "user" for turn in turns):
        return "nobody asks"
    if any(turn.role == "system" for turn in turns[1:]):
        return "a system prompt that is not the first turn"
    return None if all(turn.content.strip() for turn in turns) else "a turn without words"


def normalised(text: str) -> str:
    """A text without what does not change its meaning: case, marks, blanks, forms of letters.

    >>> normalised("Where is my  ORDER?!") == normalised("where is my order")
    True
    """
    letters = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))
    return letters or text.strip()


def in_validation(question: str, share: float) -> bool:
    """Whether a question validates: always the same, and the same for questions that are nearly equal."""
    digest = hashlib.sha256(normalised(question).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


@dataclass
class Sieve:
    """Decides row by row; remembers digests of what it has let through.

    Attributes:
        settings: the section ``actions.tune``.
        redaction: None keeps texts as they are.
    """

    settings: Tune
    redaction: Redaction | None = None
    _seen: set[bytes] = field(default_factory=set)

    def take(self, row: Mapping[str, Any]) -> tuple[str, str] | Left:
        """Question and answer to train on, or why not.

        Args:
            row: with ``user_query``, ``model_response`` and ``refusal``.
        """
        question, answer = row["user_query"].strip(), row["model_response"].strip()
        if row["refusal"] and not self.settings.refusals:
            return "refusal"
        size = len(question) + len(answer)
        if not question or not answer or not self._fits(size):
            return "length"
        if (redacted := self._redacted(question, answer)) is None:
            return "redaction"
        if self._met(b"exact", *redacted):
            return "duplicate"
        if self._met(b"near", *map(normalised, redacted)):
            return "near_duplicate"
        return redacted

    def _fits(self, size: int) -> bool:
        return self.settings.least_characters <= size <= self.settings.most_characters

    def _redacted(self, *texts: str) -> tuple[str, str] | None:
        mode = self.settings.redact
        if self.redaction is None or mode == "keep":
            return texts[0], texts[1]
        try:
            question, answer = (self.redaction.text(text, mode) for text in texts)
        except Exception:  # noqa: BLE001 - what cannot be looked at must not leave
            return None
        return question, answer

    def _met(self, how: bytes, question: str, answer: str) -> bool:
        pair = f"{len(question)}:{question}{answer}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(pair, key=how, digest_size=16).digest()
        met = digest in self._seen
        self._seen.add(digest)
        return met
