"""What becomes of each text of an event: kept, masked, hashed, or left out."""

import hashlib
import hmac
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, get_args

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.events import Mode, TextField
from drift_aware.schema.redaction import presidio
from drift_aware.schema.redaction.patterns import FINDERS
from drift_aware.schema.redaction.spans import Finder, Span, merged

if TYPE_CHECKING:  # the settings need more than a publisher has
    from drift_aware.schema.settings import Redact

KEY_VARIABLE = "DRIFT_AWARE_REDACT__HASH_KEY"
# Half of them would do to tell the mail addresses of a city apart.
HASH_DIGITS = 16
# What begins within the part of a text that is kept is looked at this far beyond its end.
_MARGIN_CHARACTERS = 5_000

_FIELDS = get_args(TextField)
_MODES = get_args(Mode)


@dataclass(slots=True)
class Changes:
    """What was done to the texts of an event.

    Attributes:
        clipped: texts that lost their end.
        found: what was replaced, by kind.
        withheld: texts left out because they could not be looked at; ``why`` is the last reason.
    """

    clipped: int = 0
    found: Counter[str] = field(default_factory=Counter)
    withheld: int = 0
    why: str = ""


class Redaction:
    """Says of every text field what becomes of it; pass it to a Publisher as ``redact``.

    ``mask`` puts ``[email]`` in the place of what is found. ``hash`` puts ``[email:9f8e7d6c5b4a3f2e]``, a
    keyed hash, so that equal stays equal and nobody without the key can try out guesses. ``drop`` leaves the
    field out, whatever it holds. ``keep`` lets it pass.

    A text that cannot be looked at, because a finder raises or the key is missing, is left out and counted.

    Args:
        mode: of every text field that ``fields`` does not name.
        fields: field to mode: ``user_query``, ``model_response``, ``comment``, ``expected``, ``predicted``,
            ``error`` and ``labels`` (the values).
        patterns: which of the built-in finders run: email, phone, card, iban, ip, secret.
        finders: more of them, for instance ``presidio.finder(...)`` or your own for customer numbers.
        hash_key: of ``hash``; by default the environment variable DRIFT_AWARE_REDACT__HASH_KEY.

    Raises:
        SettingsError: there is no such field, mode or pattern.

    >>> Redaction().text("write to jo@example.org, not to 10.1.2.3", "mask")
    'write to [email], not to [ip]'
    """

    def __init__(
        self,
        mode: Mode = "mask",
        *,
        fields: Mapping[TextField, Mode] | None = None,
        patterns: Iterable[str] = tuple(FINDERS),
        finders: Sequence[Finder] = (),
        hash_key: str | None = None,
    ) -> None:
        self._modes: dict[TextField, Mode] = dict.fromkeys(_FIELDS, mode) | dict(fields or {})
        names = list(patterns)
        _require("field", self._modes, _FIELDS)
        _require("mode", self._modes.values(), _MODES)
        _require("pattern", names, FINDERS)
        self._finders = [*(FINDERS[name] for name in names), *finders]
        key = os.environ.get(KEY_VARIABLE) if hash_key is None else hash_key
        self._key = key.encode() if key else None

    @classmethod
    def configured(cls, section: "Redact") -> Self | None:
        """That of the settings, ``load(file).redact``; None if it keeps everything.

        Raises:
            SettingsError: presidio is asked for and not there.
        """
        if {section.mode, *section.fields.values()} == {"keep"}:
            return None
        return cls(
            section.mode,
            fields=section.fields,
            patterns=section.patterns,
            finders=[presidio.finder(section.presidio)] if section.presidio else [],
            hash_key=section.key,
        )

    def apply(self, values: dict[str, Any], changes: Changes, limit: int | None = None) -> None:
        """Redact the text fields among the fields of an event, in place; never raises.

        Args:
            values: fields by name.
            changes: told what was done.
            limit: of a longer text only so many characters are looked at and kept.
        """
        self._decide_correctness(values)
        for name, mode in self._modes.items():
            if mode != "keep" and values.get(name) is not None:
                self._change(values, name, mode, changes, limit)

    def _decide_correctness(self, values: dict[str, Any]) -> None:
        """What was equal must stay so, and two masks are equal."""
        expected, predicted = values.get("expected"), values.get("predicted")
        if isinstance(expected, str) and isinstance(predicted, str) and values.get("correct") is None:
            values["correct"] = expected == predicted

    def _change(
        self, values: dict[str, Any], name: TextField, mode: Mode, changes: Changes, limit: int | None
    ) -> None:
        value = values[name]
        try:
            kept = None if mode == "drop" else self._changed(value, mode, changes, limit)
        except Exception as error:  # noqa: BLE001 - what cannot be looked at must not leave
            changes.withheld += 1
            changes.why = f"{name} withheld: {type(error).__name__}"
            kept = None
        if kept is None and name == "error":
            kept = bool(value)  # that it failed is no secret
        if kept is None:
            del values[name]
        else:
            values[name] = kept

    def _changed(self, value: Any, mode: Mode, changes: Changes, limit: int | None) -> Any:
        if isinstance(value, Mapping):
            return {name: self._changed(each, mode, changes, limit) for name, each in value.items()}
        if not isinstance(value, str):
            return value
        if limit is not None and len(value) > limit:
            changes.clipped += 1
        return self.text(value, mode, changes.found, limit)

    def text(self, text: str, mode: Mode, found: Counter[str] | None = None, limit: int | None = None) -> str:
        """One text, masked or hashed.

        Args:
            text: any.
            mode: ``mask`` or ``hash``.
            found: told what was replaced.
            limit: how many characters to keep; what begins before it is replaced as a whole.

        Raises:
            SettingsError: there is no key to hash with.
        """
        seen = text if limit is None else text[: limit + _MARGIN_CHARACTERS]
        end = len(seen) if limit is None else min(limit, len(seen))
        replace = self._hashed if mode == "hash" else _masked
        spans = [span for span in self._spans(seen) if span.start < end]
        if found is not None:
            found.update(span.kind for span in spans)
        return "".join(_pieces(seen, spans, replace, end))[:limit]

    def _spans(self, text: str) -> list[Span]:
        return merged(span for find in self._finders for span in find(text))

    def _hashed(self, kind: str, match: str) -> str:
        if self._key is None:
            raise SettingsError(f"mode hash needs a key; set {KEY_VARIABLE} to a long random text")
        digest = hmac.new(self._key, match.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        return f"[{kind}:{digest[:HASH_DIGITS]}]"


def _masked(kind: str, _: str) -> str:
    return f"[{kind}]"


def _pieces(text: str, spans: Iterable[Span], replace: Callable[[str, str], str], end: int) -> Iterable[str]:
    at = 0
    for span in spans:
        yield text[at : span.start]
        yield replace(span.kind, text[span.start : span.end])
        at = span.end
    yield text[at:end]


def _require(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in given:
        if name not in known:
            raise SettingsError(f"redaction has no {what} {name!r}; there are {', '.join(known)}")
