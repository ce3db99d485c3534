"""What every publisher offers an application, whether it talks to Kafka or keeps a list.

No method raises and none waits, unless it says so: a monitor must never be the reason that the monitored
application fails. What is wrong with a call is counted and logged instead.
"""

import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Never, Self, Unpack

from drift_aware.producers.drafts import Draft
from drift_aware.producers.fields import EmbeddingFields, EvaluationFields, FeedbackFields, InteractionFields
from drift_aware.producers.identifiers import new_id
from drift_aware.producers.tally import Reason, Stats
from drift_aware.schema.events import KINDS, Event, Kind


class EventPublisher(ABC):
    """Publishes interactions, embeddings, feedback and evaluations.

    Whatever is passed in is read a moment later: do not change a vector or a dictionary after handing it
    over. ``ts`` is now and ``id`` is new where they are left out.
    """

    def interaction(self, /, *unexpected: Never, **fields: Unpack[InteractionFields]) -> str:
        """Publish one question and its answer; the interaction's id, for its embedding and feedback."""
        return self._draft_with_id("interaction", fields, unexpected)

    def embedding(self, vector: Any = None, /, *unexpected: Never, **fields: Unpack[EmbeddingFields]) -> str:
        """Publish a vector; the embedding's id.

        Args:
            vector: a list of numbers, a NumPy array, or little-endian bytes of ``dtype``.
            unexpected: nothing; the fields are passed by name.
            fields: of an Embedding; ``model`` is the model that made the vector.
        """
        if vector is not None:
            fields["vector"] = vector
        return self._draft_with_id("embedding", fields, unexpected)

    def feedback(
        self, interaction_id: str | None = None, /, *unexpected: Never, **fields: Unpack[FeedbackFields]
    ) -> None:
        """Publish what a person thought of an answer; pass ``session_id`` if the interaction had one."""
        if interaction_id is not None:
            fields["interaction_id"] = interaction_id
        self._draft("feedback", fields, unexpected)

    def evaluation(self, /, *unexpected: Never, **fields: Unpack[EvaluationFields]) -> None:
        """Publish one graded item of an evaluation run."""
        self._draft("evaluation", fields, unexpected)

    def publish(self, event: Event) -> None:
        """Publish an event that is ready; the publisher's own values fill in what it leaves out."""
        kind = KINDS.get(type(event))
        if kind is None:
            self._drop("bad_event", f"a {type(event).__name__} is not an event")
        else:
            self._take((kind, event))

    @property
    @abstractmethod
    def stats(self) -> Stats:
        """Counts of what became of the events."""

    @property
    def dropped(self) -> dict[str, int]:
        """Lost events by reason."""
        return self.stats.dropped

    @abstractmethod
    def flush(self, timeout_seconds: float = 10.0) -> int:
        """Wait until all is delivered or the time is over; how many events are left."""

    @abstractmethod
    def close(self, timeout_seconds: float = 5.0) -> None:
        """Flush for so long, count what is left as lost, and take nothing any more."""

    @abstractmethod
    def _take(self, draft: Draft) -> None:
        """Accept an event to be; never raises."""

    @abstractmethod
    def _drop(self, reason: Reason, why: str) -> None:
        """Count an event that will not be published; never raises."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _draft_with_id(
        self, kind: Kind, fields: InteractionFields | EmbeddingFields, unexpected: tuple[object, ...]
    ) -> str:
        event_id = fields.get("id")
        if event_id is None:
            event_id = fields["id"] = new_id()
        self._draft(kind, fields, unexpected)
        return event_id

    def _draft(
        self,
        kind: Kind,
        fields: InteractionFields | EmbeddingFields | FeedbackFields | EvaluationFields,
        unexpected: tuple[object, ...],
    ) -> None:
        if unexpected:
            self._drop("bad_event", f"{kind}: pass the fields by name")
            return
        if fields.get("ts") is None:
            fields["ts"] = time.time_ns() // 1_000_000
        self._take((kind, fields))
