"""LiteLLM's calls, in code and in its proxy.

In code: ``litellm.callbacks = [DriftAwareLogger(publisher)]``. In the proxy's configuration:
``callbacks: drift_aware.producers.integrations.litellm.from_environment``.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from drift_aware.producers.integrations.calls import UNNOTICED, EmbeddingKind
from drift_aware.producers.integrations.payloads import (
    failed,
    interaction,
    interaction_id,
    segment,
    team,
    vectors,
)
from drift_aware.producers.interface import EventPublisher
from drift_aware.producers.publisher import Publisher
from drift_aware.schema.redaction import Redaction

_REMEMBERED_FAILURES = 100

# Made when the proxy asks for it, so that importing this module needs no settings.
from_environment: "DriftAwareLogger"


class DriftAwareLogger(CustomLogger):
    """Publishes an interaction for every call of a language model, and the vectors of calls for embeddings.

    The interaction's id is the ``id`` of the response the application gets; of a call that failed it is
    LiteLLM's call id. LiteLLM's own switches that keep messages out of logs are respected: what it has
    redacted is published without texts.

    Args:
        publisher: which publishes.
        tenant: of LiteLLM's StandardLoggingPayload, as it is published; by default the team's alias or id in
            the proxy. An end user is nothing to divide traffic by: there are too many.
        embedding_kind: of the texts that are embedded.
        turn_off_message_logging: LiteLLM's own: texts stay out for this callback alone.
    """

    def __init__(
        self,
        publisher: EventPublisher,
        *,
        tenant: Callable[[Mapping[str, Any]], str | None] = team,
        embedding_kind: EmbeddingKind = "query",
        turn_off_message_logging: bool = False,
    ) -> None:
        super().__init__(turn_off_message_logging=turn_off_message_logging)
        self._publisher = publisher
        self._tenant = tenant
        self._kind = embedding_kind
        self._failures: deque[str] = deque(maxlen=_REMEMBERED_FAILURES)
        self._lock = threading.Lock()

    # LiteLLM passes these by keyword, so that the names are its own.
    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Publish what a synchronous call has brought."""
        self._publish(kwargs)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Publish that a synchronous call has failed."""
        self._publish(kwargs)

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Publish what an asynchronous call has brought."""
        self._publish(kwargs)

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Publish that an asynchronous call has failed."""
        self._publish(kwargs)

    def _publish(self, call: Mapping[str, Any]) -> None:
        with UNNOTICED:
            # LiteLLM itself does so with asynchronous calls only; a second time changes nothing.
            call = self.redact_standard_logging_payload_from_model_call_details(dict(call))
            payload = call.get("standard_logging_object")
            if payload is None:
                return
            if failed(payload) and self._told_before(interaction_id(payload)):
                return
            fields: dict[str, Any] = segment(call, payload) | {"tenant": self._tenant(payload)}
            if (found := interaction(call, payload)) is not None:
                self._publisher.interaction(**fields | found)
            for vector in vectors(payload):
                self._publisher.embedding(vector, kind=self._kind, **fields)

    def _told_before(self, call: str) -> bool:
        """Whether this failure is known: the proxy tells twice of those that its router finds."""
        with self._lock:
            known = call in self._failures
            self._failures.append(call)
        return known


def __getattr__(name: str) -> Any:
    if name != "from_environment":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = _from_environment()
    return made


def _from_environment() -> DriftAwareLogger:
    """A logger of the same environment variables that the commands read.

    Raises:
        SettingsError: they are wrong.
    """
    # Imported here: in code the settings are not needed, and neither is what they are read with.
    from drift_aware.schema.settings import load

    settings = load()
    client = settings.kafka.client()
    servers = str(client.pop("bootstrap.servers"))
    return DriftAwareLogger(Publisher(servers, client=client, redact=Redaction.configured(settings.redact)))
