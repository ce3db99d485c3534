"""What becomes an event of OpenTelemetry's spans and log records."""

from typing import Literal

from pydantic import Field

from drift_aware.schema.section import Section


class Otlp(Section):
    """How ``ingest otlp`` reads telemetry.

    Attributes:
        spans_topic: where an OpenTelemetry Collector writes spans; null for nowhere.
        logs_topic: where it writes log records; null for nowhere.
        start: where a topic begins that was never read.
        tenant_attribute: of a span or its resource, what traffic is divided by as ``tenant``, for instance
            user.id; null for none.
        interactions_from: where the texts are: on the spans, or in the log records
            gen_ai.client.inference.operation.details; the other is passed by, or all would count twice.
        feedback_names: evaluations of these names are what people think of an answer.
        feedback_scale: whether their scores are stars from 1 to 5 or a share from 0 to 1.
        max_text_chars: longer texts lose their end.
        max_body_bytes: of one request to the listener, unpacked; larger ones are refused.
        repeated_within: of the last so many events that came by HTTP, none is published again.
    """

    spans_topic: str | None = "otlp_spans"
    logs_topic: str | None = "otlp_logs"
    start: Literal["earliest", "latest"] = "earliest"
    tenant_attribute: str | None = None
    interactions_from: Literal["spans", "logs"] = "spans"
    feedback_names: list[str] = Field(default_factory=lambda: ["user_feedback"])
    feedback_scale: Literal["stars", "share"] = "stars"
    max_text_chars: int = Field(20_000, ge=1)
    max_body_bytes: int = Field(16_000_000, ge=1_000)
    repeated_within: int = Field(200_000, ge=0)
