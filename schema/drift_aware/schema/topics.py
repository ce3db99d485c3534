"""Every topic, its key and how it is kept.

All topics have the same number of partitions: Faust places the topics an app reads together only if they
agree. Sources are neither compacted nor transactional, because the worker counts offsets one by one.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from msgspec import Struct

from drift_aware.schema import reach
from drift_aware.schema.checks import Check
from drift_aware.schema.errors import SettingsError, Unreachable
from drift_aware.schema.events import Kind

if TYPE_CHECKING:
    from concurrent.futures import Future

    from drift_aware.schema.settings import Settings

WORKER_APP = "drift-aware"
PANES_TABLE = "panes"
MONITORS_TABLE = "monitors"

# The sums of the widest vectors take a megabyte; the worker sends no larger request.
LARGEST_BYTES = 16_000_000
_DAY_MS = 24 * 3_600_000


class Topic(Struct, frozen=True):
    """A topic of this project.

    Attributes:
        key: what records are keyed by, in words.
        retention_ms: how long records are kept; of compacted topics, nothing expires.
    """

    name: str
    key: str
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int = 7 * _DAY_MS
    max_message_bytes: int = 1_048_588  # the broker's own default

    def config(self) -> dict[str, str]:
        """The topic's settings as Kafka names them."""
        config = {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_message_bytes)}
        if self.cleanup == "compact":
            return config | {"min.cleanable.dirty.ratio": "0.1"}
        return config | {"retention.ms": str(self.retention_ms)}


INTERACTIONS = Topic("drift.interactions.v1", "session_id, else id")
EMBEDDINGS = Topic("drift.embeddings.v1", "session_id, else interaction_id")
FEEDBACK = Topic("drift.feedback.v1", "session_id, else interaction_id")
EVALUATIONS = Topic("drift.evaluations.v1", "run_id")
SUMMARIES = Topic("drift.summaries.v1", "segment", retention_ms=3 * _DAY_MS, max_message_bytes=LARGEST_BYTES)
BASELINES = Topic("drift.baselines.v1", "segment|family", "compact", max_message_bytes=LARGEST_BYTES)
READINGS = Topic("drift.readings.v1", "segment", retention_ms=30 * _DAY_MS)
HISTORY = Topic("drift.history.v1", "segment|family|day", "compact", max_message_bytes=LARGEST_BYTES)
ALERTS = Topic("drift.alerts.v1", "segment", retention_ms=90 * _DAY_MS)
ACTIONS = Topic("drift.actions.v1", "alert id", retention_ms=90 * _DAY_MS)
POLICIES = Topic("drift.policies.v1", "app", "compact")
CANARIES = Topic("drift.canaries.v1", "what is asked", "compact", max_message_bytes=LARGEST_BYTES)
REPLAYS = Topic("drift.replays.v1", "id of the dead letter", "compact")

SOURCES: dict[Kind, Topic] = {
    "interaction": INTERACTIONS,
    "embedding": EMBEDDINGS,
    "feedback": FEEDBACK,
    "evaluation": EVALUATIONS,
}


def dead_letters(topic: Topic) -> Topic:
    """Where records of ``topic`` go that cannot be read; headers come on top of what the broker took in."""
    return Topic(f"{topic.name}.dlq", "as it came", retention_ms=30 * _DAY_MS, max_message_bytes=16_000_000)


def changelog(table: str) -> Topic:
    """Where Faust keeps the rows of a table."""
    return Topic(f"{WORKER_APP}-{table}-changelog", "row", "compact", max_message_bytes=LARGEST_BYTES)


TOPICS: tuple[Topic, ...] = (
    *SOURCES.values(),
    *(dead_letters(topic) for topic in SOURCES.values()),
    SUMMARIES,
    dead_letters(SUMMARIES),
    BASELINES,
    READINGS,
    HISTORY,
    ALERTS,
    ACTIONS,
    POLICIES,
    CANARIES,
    REPLAYS,
    changelog(PANES_TABLE),
    changelog(MONITORS_TABLE),
)


def existing(settings: "Settings", timeout_seconds: float = 10.0) -> dict[str, int]:
    """Topic to number of partitions, as the broker has them.

    Raises:
        Unreachable: the broker does not answer in time.
    """
    return _partitions(*_admin(settings), settings, timeout_seconds)


def create(settings: "Settings", timeout_seconds: float = 30.0) -> list[str]:
    """Create what is missing; the names of what was created. What exists is left as it is.

    Raises:
        Unreachable: the broker does not answer in time, or refuses.
    """
    admin, complaints = _admin(settings)
    there = _partitions(admin, complaints, settings, timeout_seconds)
    missing = [topic for topic in TOPICS if topic.name not in there]
    if not missing:
        return []
    futures = admin.create_topics(
        [
            NewTopic(
                topic.name,
                settings.kafka.partitions,
                settings.kafka.replication_factor,
                config=topic.config(),
            )
            for topic in missing
        ],
        operation_timeout=timeout_seconds,
    )
    return [name for name, future in futures.items() if _was_created(name, future)]


def _was_created(name: str, future: "Future[None]") -> bool:
    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False  # somebody else, at the same time
        raise Unreachable(f"cannot create topic {name}: {error.args[0].str()}") from None
    return True


def _admin(settings: "Settings") -> tuple[AdminClient, reach.Complaints]:
    complaints = reach.Complaints()
    return reach.admin(settings.kafka, complaints), complaints


def _partitions(
    admin: AdminClient, complaints: reach.Complaints, settings: "Settings", timeout_seconds: float
) -> dict[str, int]:
    metadata = reach.metadata(admin, complaints, settings.kafka, timeout_seconds)
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def require(settings: "Settings") -> None:
    """See that every topic is there with the partitions the settings ask for.

    Raises:
        Unreachable: Kafka does not answer, or a topic is missing.
        SettingsError: a topic has another number of partitions.
    """
    there = existing(settings)
    missing = [topic.name for topic in TOPICS if topic.name not in there]
    if missing:
        raise Unreachable(
            f"{len(missing)} topics missing, first {missing[0]}; run: drift-aware topics create"
        )
    uneven = [topic.name for topic in TOPICS if there[topic.name] != settings.kafka.partitions]
    if uneven:
        raise SettingsError(
            f"{uneven[0]} has {there[uneven[0]]} partitions, the setting kafka.partitions is "
            f"{settings.kafka.partitions}; all topics need the same number: set kafka.partitions to it"
        )


def checks(settings: "Settings") -> Iterable[Check]:
    """Whether Kafka answers and every topic is there with the partitions the settings ask for."""
    try:
        existing(settings)
    except Unreachable as error:
        yield Check("kafka", False, str(error))
        return
    yield Check("kafka", True, f"{settings.kafka.bootstrap_servers} answers")
    try:
        require(settings)
    except (Unreachable, SettingsError) as error:
        yield Check("topics", False, str(error))
        return
    yield Check("topics", True, f"{len(TOPICS)} topics with {settings.kafka.partitions} partitions each")
