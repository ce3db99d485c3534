"""The results of an exam as evaluation events, each run in one Kafka record, so that it is there or not.

What was published is found again where it would be: on the topic, by its key, since the exam.
Texts stay here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from drift_aware.actions.errors import Unknown
from drift_aware.actions.executor import Job, Result
from drift_aware.actions.tune.exam import CANDIDATE, CURRENT
from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.events import Evaluation
from drift_aware.schema.producing import EXACT
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import EVALUATIONS
from drift_aware.sql.export import dimensions_of

_SECONDS = 10.0
# Clocks of brokers are not ours.
_SKEW_MS = 600_000


@dataclass(frozen=True)
class Publish:
    """Publishes both runs."""

    settings: Settings
    name: str

    def do(self, job: Job) -> Result:
        """Publish what is not there yet.

        Raises:
            Unknown: Kafka did not confirm it.
            Unreachable: Kafka does not answer.
        """
        missing = self._runs(job).keys() - self._there(job)
        failed: list[KafkaError] = []
        producer = Producer(
            self.settings.kafka.client()
            | EXACT
            | {
                "client.id": "drift-aware-act",
                "message.timeout.ms": int(_SECONDS * 1000),
                "log_level": 2,
            }
        )
        for run_id in sorted(missing):
            producer.produce(
                EVALUATIONS.name,
                key=run_id,
                value=encode_rows(self._runs(job)[run_id]),
                headers={"content-type": ROWS},
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
        if producer.flush(_SECONDS + 1) or failed:
            raise Unknown("Kafka did not confirm the evaluation")
        return self._result(job)

    def find(self, job: Job) -> Result | None:
        """The runs, if both are on the topic."""
        return self._result(job) if self._runs(job).keys() <= self._there(job) else None

    def _result(self, job: Job) -> Result:
        return {"runs": sorted(self._runs(job))}

    def _runs(self, job: Job) -> dict[str, list[Evaluation]]:
        results = job.results["evaluate"]
        dimensions = dimensions_of(job.action.segment)
        return {
            f"{job.key('publish')}/{who}": [
                Evaluation(
                    eval_set=self.name,
                    run_id=f"{job.key('publish')}/{who}",
                    ts=results["ts"],
                    correct=right,
                    model=results[who]["model"],
                    app=dimensions.get("app"),
                    prompt_version=dimensions.get("prompt_version"),
                    tenant=dimensions.get("tenant"),
                )
                for right in results[who]["correct"]
            ]
            for who in (CURRENT, CANDIDATE)
        }

    def _there(self, job: Job) -> set[str]:
        wanted = self._runs(job).keys()
        since = job.results["evaluate"]["ts"] - _SKEW_MS
        consumer = Consumer(
            self.settings.kafka.client()
            # Wanted by librdkafka; nothing is committed.
            | {"group.id": "drift-aware-act", "enable.auto.commit": False, "log_level": 2}
        )
        try:
            return {key for key in _keys(consumer, since) if key in wanted}
        except KafkaException as error:
            raise Unreachable(f"Kafka does not answer: {error.args[0].str()}") from None
        finally:
            consumer.close()


def _keys(consumer: Consumer, since_ms: int) -> Iterator[str]:
    """The keys of all records from a time on."""
    topic = consumer.list_topics(EVALUATIONS.name, _SECONDS).topics[EVALUATIONS.name]
    if topic.error is not None:
        raise KafkaException(topic.error)
    asked = [TopicPartition(EVALUATIONS.name, number, since_ms) for number in topic.partitions]
    for begin in consumer.offsets_for_times(asked, timeout=_SECONDS):
        _, high = consumer.get_watermark_offsets(begin, timeout=_SECONDS)
        if not 0 <= begin.offset < high:
            continue
        consumer.assign([begin])
        at = begin.offset
        while at < high:
            message = consumer.poll(_SECONDS)
            if message is None:
                raise Unreachable("Kafka does not answer: no record within 10 s")
            if (error := message.error()) is not None:
                raise KafkaException(error)
            yield (message.key() or b"").decode(errors="replace")
            at = (message.offset() or 0) + 1
