"""From what the application passed in to a valid event. Pure; runs in the background thread."""

from collections.abc import Mapping
from typing import Any

import msgspec

from drift_aware.producers.vectors import packed
from drift_aware.schema.envelope import normalise_vector
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import TYPES, Embedding, Event, Kind, milliseconds
from drift_aware.schema.redaction import Changes, Redaction

Draft = tuple[Kind, Mapping[str, Any] | Event]

_KNOWN: Mapping[Kind, frozenset[str]] = {
    kind: frozenset(event_type.__struct_fields__) for kind, event_type in TYPES.items()
}
_TEXTS: Mapping[Kind, tuple[str, ...]] = {
    "interaction": ("user_query", "model_response"),
    "embedding": (),
    "feedback": ("comment",),
    "evaluation": ("expected", "predicted"),
}


class Completion:
    """Fills in, clips and checks.

    Args:
        defaults: values of ``app``, ``model``, ``prompt_version`` and ``tenant`` for events without their
            own. The model is the chat model: an embedding never takes it, because its ``model`` is the one
            that made the vector.
        max_text_chars: longer texts lose their end.
        redaction: what becomes of the texts; None keeps them.
    """

    def __init__(
        self, defaults: Mapping[str, str | None], max_text_chars: int, redaction: Redaction | None = None
    ) -> None:
        self._max_text_chars = max_text_chars
        self._redaction = redaction
        given = {name: _plain(value) for name, value in defaults.items() if value is not None}
        self._defaults: dict[Kind, dict[str, str]] = dict.fromkeys(TYPES, given)
        self._defaults["embedding"] = {name: value for name, value in given.items() if name != "model"}

    def complete(self, draft: Draft) -> tuple[Event, Changes]:
        """The event, and what was done to its texts.

        Raises:
            BadEvent: ``bad_event`` or ``bad_vector``; the message names the field. Nothing else, whatever
                the values are: an argument of a stranger's type must not cost the events beside it.
        """
        try:
            return self._complete(draft)
        except BadEvent:
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's type may raise anything
            raise BadEvent("bad_event", f"an argument cannot be read: {type(error).__name__}") from None

    def _complete(self, draft: Draft) -> tuple[Event, Changes]:
        kind, source = draft
        fields = msgspec.structs.asdict(source) if isinstance(source, msgspec.Struct) else source
        unknown = fields.keys() - _KNOWN[kind]
        if unknown:
            raise BadEvent("bad_event", f"{kind}: no field is called {min(unknown)!r}; leave it out")
        given = {name: _plain(value) for name, value in fields.items() if value is not None}
        values = self._defaults[kind] | given
        changes = Changes()
        if self._redaction is not None:
            self._redaction.apply(values, changes, self._max_text_chars)
        self._clip(kind, values, changes)
        if kind == "embedding" and "vector" in values:
            values["vector"], values["dtype"] = packed(values["vector"], values.get("dtype"))
        return _checked(kind, values), changes

    def _clip(self, kind: Kind, values: dict[str, Any], changes: Changes) -> None:
        for name in _TEXTS[kind]:
            text = values.get(name)
            if isinstance(text, str) and len(text) > self._max_text_chars:
                values[name] = text[: self._max_text_chars]
                changes.clipped += 1


def _plain(value: Any) -> Any:
    # JSON knows no subclasses of str, and applications have them: enums, NumPy's, a template engine's.
    return str.__str__(value) if isinstance(value, str) else value


def _checked(kind: Kind, values: dict[str, Any]) -> Event:
    try:
        event = _converted(kind, values)
    except msgspec.ValidationError as error:
        raise BadEvent("bad_event", f"not a valid {kind}: {error}") from None
    try:
        event.ts = milliseconds(event.ts)
    except BadEvent as error:
        raise BadEvent("bad_event", str(error)) from None
    if isinstance(event, Embedding):
        normalise_vector(event)
    return event


def _converted(kind: Kind, values: dict[str, Any]) -> Event:
    try:
        return msgspec.convert(values, TYPES[kind], builtin_types=(bytes,))
    except msgspec.ValidationError:
        # NumPy's numbers are not numbers to msgspec; their ``item`` is. Only who needs it pays for it.
        plain = {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}
        return msgspec.convert(plain, TYPES[kind], builtin_types=(bytes,))
