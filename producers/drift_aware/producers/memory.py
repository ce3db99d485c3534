"""A publisher for tests: same calls, same checks, no Kafka."""

import logging
from collections.abc import Mapping

from drift_aware.producers.drafts import Completion, Draft
from drift_aware.producers.interface import EventPublisher
from drift_aware.producers.packing import encoded
from drift_aware.producers.tally import Reason, Stats, Tally, reason_of
from drift_aware.schema.errors import BadEvent
from drift_aware.schema.events import Embedding, Evaluation, Event, Feedback, Interaction
from drift_aware.schema.redaction import Redaction

_log = logging.getLogger("drift_aware.producers")


class MemoryPublisher(EventPublisher):
    """Keeps what is published in ``events``, in order.

    >>> publisher = MemoryPublisher(app="shop")
    >>> _ = publisher.interaction(user_query="Where is my parcel?")
    >>> publisher.interactions[0].app
    'shop'
    """

    def __init__(
        self,
        *,
        app: str | None = None,
        model: str | None = None,
        prompt_version: str | None = None,
        tenant: str | None = None,
        max_text_chars: int = 20_000,
        redact: Redaction | None = None,
    ) -> None:
        self.events: list[Event] = []
        defaults: Mapping[str, str | None] = {
            "app": app,
            "model": model,
            "prompt_version": prompt_version,
            "tenant": tenant,
        }
        self._completion = Completion(defaults, max_text_chars, redact)
        self._tally = Tally(_log)
        self._closed = False

    @property
    def interactions(self) -> list[Interaction]:
        """The interactions among the events."""
        return [event for event in self.events if isinstance(event, Interaction)]

    @property
    def embeddings(self) -> list[Embedding]:
        """The embeddings; their vectors are bytes."""
        return [event for event in self.events if isinstance(event, Embedding)]

    @property
    def feedbacks(self) -> list[Feedback]:
        """The feedback."""
        return [event for event in self.events if isinstance(event, Feedback)]

    @property
    def evaluations(self) -> list[Evaluation]:
        """The evaluations."""
        return [event for event in self.events if isinstance(event, Evaluation)]

    @property
    def stats(self) -> Stats:
        """Counts of what became of the events."""
        return self._tally.stats(queued=0)

    def flush(self, timeout_seconds: float = 10.0) -> int:
        """Nothing ever waits."""
        del timeout_seconds
        return 0

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Take nothing any more."""
        del timeout_seconds
        self._closed = True

    def _take(self, draft: Draft) -> None:
        if self._closed:
            self._drop("closed", "")
            return
        try:
            event, changes = self._completion.complete(draft)
            encoded(event)  # for what it raises
        except BadEvent as error:
            self._drop(reason_of(error), str(error))
        else:
            self._tally.change(changes)
            self._tally.delivered += 1
            self.events.append(event)

    def _drop(self, reason: Reason, why: str) -> None:
        self._tally.drop(reason, why=why)
        self._tally.report()
