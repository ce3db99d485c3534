"""What our fields are called elsewhere: the one table of names.

Of several names the first that is there counts. The sources:

- OpenTelemetry's semantic conventions for generative AI, today's names and those of earlier versions
  (https://github.com/open-telemetry/semantic-conventions-genai);
- OpenInference (https://github.com/Arize-ai/openinference, spec/semantic_conventions.md);
- OpenLLMetry, which numbers its prompts (https://github.com/traceloop/openllmetry).
"""

from collections.abc import Mapping
from typing import Any, Literal

Meaning = Literal["chat", "embedding"]

# Field of an event to the attributes that say it.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "model": (
        "gen_ai.request.model",
        "llm.request.model_name",
        "llm.model_name",
        "gen_ai.response.model",
        "llm.response.model_name",
    ),
    "response_model": ("gen_ai.response.model", "llm.response.model_name"),
    "prompt_version": ("gen_ai.prompt.version", "llm.prompt_template.version"),
    "session_id": (
        "gen_ai.conversation.id",
        "session.id",
        "traceloop.association.properties.session_id",
    ),
    "response_id": ("gen_ai.response.id",),
    "finish_reason": ("gen_ai.response.finish_reasons", "llm.finish_reason"),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    "cost_usd": ("llm.cost.total",),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "operation": ("gen_ai.operation.name", "openinference.span.kind", "llm.request.type"),
    "embedding_model": (
        "embedding.model_name",
        "gen_ai.request.model",
        "llm.model_name",
        "gen_ai.response.model",
    ),
    "error": ("error.type", "exception.type"),
    "evaluation": ("gen_ai.evaluation.name", "evaluation.name", "annotation.name"),
    "score": ("gen_ai.evaluation.score.value", "evaluation.score", "annotation.score"),
    "label": ("gen_ai.evaluation.score.label", "evaluation.label", "annotation.label"),
    "explanation": ("gen_ai.evaluation.explanation", "evaluation.explanation", "annotation.explanation"),
}

# What an operation means to us; case does not count.
OPERATIONS: Mapping[str, Meaning] = {
    "chat": "chat",
    "generate_content": "chat",
    "text_completion": "chat",
    "completion": "chat",
    "llm": "chat",
    "embeddings": "embedding",
    "embedding": "embedding",
}
# Those that hold nothing for us, and are counted by their own names; all others are counted together.
OTHERS = frozenset(
    {
        "retrieval",
        "retriever",
        "reranker",
        "rerank",
        "execute_tool",
        "tool",
        "invoke_agent",
        "create_agent",
        "agent",
        "invoke_workflow",
        "plan",
        "chain",
        "guardrail",
        "evaluator",
        "prompt",
        "unknown",
    }
)

EVALUATION_RESULT = "gen_ai.evaluation.result"
OPERATION_DETAILS = "gen_ai.client.inference.operation.details"


def first(attributes: Mapping[str, Any], field: str) -> Any:
    """What the attributes say of a field; None if nothing."""
    return next((attributes[name] for name in FIELDS[field] if attributes.get(name) not in (None, "")), None)


def word(attributes: Mapping[str, Any], field: str) -> str | None:
    """The same as text; of a list its first member."""
    value = first(attributes, field)
    if isinstance(value, list):
        value = value[0] if value else None
    return None if value is None or isinstance(value, dict) else str(value)


def number(attributes: Mapping[str, Any], field: str) -> float | None:
    """The same as a number; None for what is none, some write numbers as text."""
    value = first(attributes, field)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
