"""From spans and log records to events. Pure.

An interaction's id is the id of the model's response, if the span says it, because that is what evaluations
and your application know it by; else the ids of trace and span. The same telemetry always gives the same
events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drift_aware.producers.drafts import Draft
from drift_aware.producers.otlp.aliases import (
    EVALUATION_RESULT,
    OPERATION_DETAILS,
    OPERATIONS,
    OTHERS,
    number,
    word,
)
from drift_aware.producers.otlp.messages import answer, question
from drift_aware.producers.otlp.spans import Attributes, Happening, Log, Span
from drift_aware.schema.otlp_settings import Otlp

# 2000-01-01: a clock that shows an earlier time was never set.
_EARLIEST_MS = 946_684_800_000
_EXCEPTIONS = ("exception", "gen_ai.client.operation.exception")
_UP = frozenset(
    {"up", "thumbs_up", "thumbs-up", "positive", "good", "like", "liked", "yes", "pass", "correct", "true"}
)
_DOWN = frozenset(
    {
        "down",
        "thumbs_down",
        "thumbs-down",
        "negative",
        "bad",
        "dislike",
        "disliked",
        "no",
        "fail",
        "incorrect",
        "false",
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a span or a log record holds.

    Attributes:
        drafts: of events.
        passed: if there are none, what it was: a word of few.
        retimed: whether its clock was wrong.
    """

    drafts: Sequence[Draft] = ()
    passed: str | None = None
    retimed: bool = False


class Reading:
    """Makes drafts of events.

    Args:
        settings: what counts.
        future_ms: a time further ahead than this is a clock's mistake, milliseconds.
    """

    def __init__(self, settings: Otlp, future_ms: float) -> None:
        self._settings = settings
        self._future_ms = future_ms

    def of_span(self, span: Span, received_ms: float) -> Found:
        """What a span holds.

        Args:
            span: as it came.
            received_ms: when it came; what has no time of its own, or an impossible one, gets this.
        """
        operation = (word(span.attributes, "operation") or "none").lower()
        ts, retimed = self._time(span.start_ms, received_ms)
        drafts: list[Draft] = []
        match OPERATIONS.get(operation):
            case "chat" if self._settings.interactions_from == "spans":
                drafts.append(self._interaction(span, ts))
            case "embedding":
                drafts += self._embeddings(span, ts)
        drafts += self._opinions(span, ts)
        if drafts:
            return Found(drafts, retimed=retimed)
        known = operation in OPERATIONS or operation in OTHERS or operation == "none"
        return Found(passed=operation if known else "other")

    def of_log(self, log: Log, received_ms: float) -> Found:
        """What a log record holds; as ``of_span``."""
        ts, retimed = self._time(log.ts_ms, received_ms)
        body = log.body if isinstance(log.body, Mapping) else {}
        attributes = {**body, **log.attributes}
        if log.name == EVALUATION_RESULT:
            draft = self._opinion(
                attributes, log.resource, _identity(log.trace_id, log.span_id, attributes), ts
            )
            return Found([draft] if draft else [], None if draft else "evaluation", retimed)
        if log.name == OPERATION_DETAILS and self._settings.interactions_from == "logs":
            span = Span(log.trace_id, log.span_id, "", ts, 0, attributes, log.resource)
            return Found([self._interaction(span, ts)], retimed=retimed)
        return Found(passed="details" if log.name == OPERATION_DETAILS else "log")

    def _time(self, stated_ms: float, received_ms: float) -> tuple[int, bool]:
        if _EARLIEST_MS <= stated_ms <= received_ms + self._future_ms:
            return round(stated_ms), False
        return round(received_ms), True

    def _segment(self, attributes: Attributes, resource: Attributes) -> dict[str, Any]:
        tenant = self._settings.tenant_attribute
        return {
            "app": resource.get("service.name"),
            "prompt_version": word(attributes, "prompt_version"),
            "tenant": attributes.get(tenant, resource.get(tenant)) if tenant else None,
            "session_id": word(attributes, "session_id"),
        }

    def _interaction(self, span: Span, ts: int) -> Draft:
        attributes = span.attributes
        model, responded = word(attributes, "model"), word(attributes, "response_model")
        labels = {"provider": word(attributes, "provider")}
        if responded != model:
            labels["response_model"] = responded
        return "interaction", _texts(self._segment(attributes, span.resource)) | {
            "id": _identity(span.trace_id, span.span_id, attributes),
            "ts": ts,
            "model": model,
            "user_query": question(attributes, span.events),
            "model_response": answer(attributes, span.events),
            "error": _error(span),
            "finish_reason": word(attributes, "finish_reason"),
            "latency_ms": span.end_ms - span.start_ms if 0 < span.start_ms <= span.end_ms else None,
            "input_tokens": _count(number(attributes, "input_tokens")),
            "output_tokens": _count(number(attributes, "output_tokens")),
            "cost_usd": number(attributes, "cost_usd"),
            "labels": {name: value for name, value in labels.items() if value} or None,
        }

    def _embeddings(self, span: Span, ts: int) -> list[Draft]:
        """Only OpenInference writes vectors down; several in one span are those of documents."""
        vectors = _vectors(span.attributes)
        fields = _texts(self._segment(span.attributes, span.resource)) | {
            "ts": ts,
            "model": word(span.attributes, "embedding_model"),
            "kind": "query" if len(vectors) == 1 else "document",
        }
        own = f"{span.trace_id}:{span.span_id}"
        return [
            ("embedding", fields | {"id": f"{own}:{place}", "vector": vector})
            for place, vector in sorted(vectors.items())
        ]

    def _opinions(self, span: Span, ts: int) -> list[Draft]:
        """Evaluations as events of the span they are of, or as attributes of it."""
        identity = _identity(span.trace_id, span.span_id, span.attributes)
        said = [event.attributes for event in span.events if event.name == EVALUATION_RESULT]
        if "gen_ai.evaluation.name" in span.attributes:
            said.append(span.attributes)
        said += [_unprefixed(span.attributes, prefix) for prefix in _numbered_opinions(span.attributes)]
        drafts = [self._opinion(each, span.resource, identity, ts, span.attributes) for each in said]
        return [draft for draft in drafts if draft]

    def _opinion(
        self, said: Attributes, resource: Attributes, identity: str, ts: int, about: Attributes | None = None
    ) -> Draft | None:
        """Feedback or an evaluation; None if it has neither a score nor a known label."""
        name = word(said, "evaluation")
        score, label = number(said, "score"), (word(said, "label") or "").lower()
        if name is None or (score is None and label not in _UP | _DOWN):
            return None
        fields = _texts(self._segment({**(about or {}), **said}, resource)) | {"ts": ts}
        fields["model"] = word(about or said, "model")
        if name in self._settings.feedback_names:
            fields |= {
                "interaction_id": word(said, "response_id") or identity,
                "comment": word(said, "explanation"),
                **self._rating(score, label),
            }
            return "feedback", fields
        del fields["session_id"]
        day = datetime.fromtimestamp(ts / 1000, UTC).date()
        return "evaluation", fields | {
            "eval_set": name,
            # Grading that never ends has a run a day.
            "run_id": f"{resource.get('service.name', 'otlp')}/{day}",
            "correct": True if label in _UP else False if label in _DOWN else None,
            "score": score if score is not None and 0 <= score <= 1 else None,
        }

    def _rating(self, score: float | None, label: str) -> dict[str, Any]:
        if score is None:
            return {"thumbs": "up" if label in _UP else "down"}
        return {"score": 1 + 4 * score if self._settings.feedback_scale == "share" else score}


def _identity(trace_id: str, span_id: str, attributes: Attributes) -> str:
    return word(attributes, "response_id") or f"{trace_id}:{span_id}"


def _error(span: Span) -> str | bool | None:
    """Why it failed: the kind of the error and, of an exception, what it says."""
    raised: Happening | None = next((event for event in span.events if event.name in _EXCEPTIONS), None)
    kind = word(span.attributes, "error") or (word(raised.attributes, "error") if raised else None)
    if kind is None and not span.failed:
        return None
    said = span.message or (raised.attributes.get("exception.message") if raised else None)
    return ": ".join(str(each) for each in (kind, said) if each) or True


def _vectors(attributes: Attributes) -> dict[int, Any]:
    """Number to vector."""
    found = {}
    for name, value in attributes.items():
        if name.startswith("embedding.embeddings.") and name.endswith(".embedding.vector") and value:
            place = name.split(".")[2]
            if place.isdecimal():
                found[int(place)] = value
    return found


def _numbered_opinions(attributes: Attributes) -> set[str]:
    """The prefixes of OpenInference's evaluations and annotations of a span: ``evaluations.0.``."""
    found = set()
    for name in attributes:
        kind, _, rest = name.partition(".")
        place = rest.partition(".")[0]
        if kind in ("evaluations", "annotations") and place.isdecimal():
            found.add(f"{kind}.{place}.")
    return found


def _unprefixed(attributes: Attributes, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in attributes.items() if name.startswith(prefix)}


def _texts(segment: Mapping[str, Any]) -> dict[str, Any]:
    """A number is as good a name as any."""
    return {name: value if value is None else str(value) for name, value in segment.items()}


def _count(value: float | None) -> int | None:
    return None if value is None or value < 0 else int(value)
