"""Hypothesis strategies for everything an application may publish."""

import struct
from typing import Any

from hypothesis import strategies as st

from drift_aware.schema.events import TYPES, Embedding, Evaluation, Event, Feedback, Interaction, Kind

# Any text JSON can carry: no lone surrogates.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
timestamps = st.integers(100_000_000_000, 253_402_300_799_999)
shares = st.floats(0, 1)
amounts = st.floats(0, 1e12)
counts = st.integers(0, 10**12)


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


_segment = {name: _optional(texts) for name in ("app", "model", "prompt_version", "tenant")}

interactions = st.builds(
    Interaction,
    id=texts,
    ts=timestamps,
    session_id=_optional(texts),
    turn=_optional(counts),
    user_query=_optional(texts),
    model_response=_optional(texts),
    intent=_optional(texts),
    refusal=_optional(st.booleans()),
    toxicity=_optional(shares),
    error=_optional(st.booleans() | texts),
    finish_reason=_optional(texts),
    latency_ms=_optional(amounts),
    input_tokens=_optional(counts),
    output_tokens=_optional(counts),
    cost_usd=_optional(amounts),
    labels=_optional(st.dictionaries(texts, texts, max_size=3)),
    **_segment,
)
feedback = st.builds(
    Feedback,
    interaction_id=texts,
    ts=timestamps,
    score=_optional(st.floats(1, 5)),
    thumbs=_optional(st.sampled_from(["up", "down"])),
    task_success=_optional(st.booleans()),
    comment=_optional(texts),
    session_id=_optional(texts),
    **_segment,
)
evaluations = st.builds(
    Evaluation,
    eval_set=texts,
    run_id=texts,
    ts=timestamps,
    expected=_optional(texts),
    predicted=_optional(texts),
    correct=_optional(st.booleans()),
    score=_optional(shares),
    **_segment,
)


@st.composite
def embeddings(draw: st.DrawFn, dim: int = 3, dtype: str = "float32") -> Embedding:
    """An embedding as it is after reading: bytes of known size and type."""
    numbers = draw(st.lists(st.floats(-1, 1, width=16), min_size=dim, max_size=dim))
    return Embedding(
        id=draw(texts),
        ts=draw(timestamps),
        vector=struct.pack(f"<{dim}{'e' if dtype == 'float16' else 'f'}", *numbers),
        interaction_id=draw(_optional(texts)),
        kind=draw(st.sampled_from(["query", "response", "document"])),
        dtype="float16" if dtype == "float16" else "float32",
        dim=dim,
        session_id=draw(_optional(texts)),
        **{name: draw(strategy) for name, strategy in _segment.items()},
    )


@st.composite
def records(draw: st.DrawFn) -> tuple[Kind, list[Event]]:
    """What one record may hold: some events of one kind."""
    kind: Kind = draw(st.sampled_from(list(TYPES)))
    of_kind: dict[Kind, st.SearchStrategy[Event]] = {
        "interaction": interactions,
        "embedding": embeddings(draw(st.integers(1, 5)), draw(st.sampled_from(["float16", "float32"]))),
        "feedback": feedback,
        "evaluation": evaluations,
    }
    return kind, draw(st.lists(of_kind[kind], min_size=1, max_size=5))
