"""The keyword arguments of the Publisher's methods: the fields of the events, all optional.

They are spelt out for type checkers and editors only; a test holds them against the events themselves.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from drift_aware.schema.events import Timestamp


class SegmentFields(TypedDict, total=False):
    """Which part of the traffic an event belongs to; what is left out, the Publisher's own values fill in."""

    ts: Timestamp | None
    app: str | None
    model: str | None
    prompt_version: str | None
    tenant: str | None


class InteractionFields(SegmentFields, total=False):
    """Of an Interaction."""

    id: str | None
    session_id: str | None
    turn: int | None
    user_query: str | None
    model_response: str | None
    intent: str | None
    refusal: bool | None
    toxicity: float | None
    error: bool | str | None
    finish_reason: str | None
    latency_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    labels: dict[str, str] | None


class EmbeddingFields(SegmentFields, total=False):
    """Of an Embedding; a vector may be anything ``vectors.packed`` reads."""

    id: str | None
    vector: bytes | Sequence[float] | Any
    interaction_id: str | None
    kind: Literal["query", "response", "document"]
    dtype: Literal["float16", "float32"] | None
    dim: int | None
    session_id: str | None
    canary: bool


class FeedbackFields(SegmentFields, total=False):
    """Of a Feedback."""

    interaction_id: str | None
    score: float | None
    thumbs: Literal["up", "down"] | None
    task_success: bool | None
    comment: str | None
    session_id: str | None


class EvaluationFields(SegmentFields, total=False):
    """Of an Evaluation."""

    eval_set: str | None
    run_id: str | None
    expected: str | None
    predicted: str | None
    correct: bool | None
    score: float | None
    canary: bool
