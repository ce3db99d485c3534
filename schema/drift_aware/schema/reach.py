"""Getting through to Kafka, and saying why it did not work.

librdkafka tries again and again and in the end says only that it took too long. Why, it tells ``error_cb``
meanwhile: a certificate nobody vouches for, a password that is wrong. A refusal is final, so nobody has to
wait for the end.
"""

import re
import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata  # type: ignore[attr-defined]

from drift_aware.schema.errors import Refused, SettingsError, Unreachable

if TYPE_CHECKING:
    from drift_aware.schema.kafka import Kafka

_ATTEMPT_SECONDS = 1.0
_PAUSE_SECONDS = 0.1
_KNOCK_SECONDS = 3.0
_REFUSALS = (KafkaError._AUTHENTICATION, KafkaError._SSL)
# What follows from the first complaint and explains nothing.
_CONSEQUENCES = (KafkaError._ALL_BROKERS_DOWN,)


class Complaints:
    """What a client of librdkafka has complained of: its ``error_cb``."""

    def __init__(self) -> None:
        self.refusal: str | None = None
        self.trouble: str | None = None
        self.untrusted = False

    def __call__(self, error: KafkaError) -> None:
        if error.code() in _REFUSALS:
            self.refusal = _shortened(error.str())
            self.untrusted = error.code() == KafkaError._SSL
        elif error.code() not in _CONSEQUENCES:
            self.trouble = _shortened(error.str())


def admin(kafka: "Kafka", complaints: Complaints) -> AdminClient:
    """A client for questions about the cluster.

    Raises:
        SettingsError: a setting is missing or cannot be used.
    """
    try:
        return AdminClient(kafka.client() | {"log_level": 2, "error_cb": complaints})
    except KafkaException as error:
        raise SettingsError(f"Kafka settings: {error.args[0].str()}") from None


def metadata(
    client: AdminClient | Consumer,
    complaints: Complaints,
    kafka: "Kafka",
    timeout_seconds: float,
    topic: str | None = None,
) -> ClusterMetadata:
    """What the broker says of its topics; ``complaints`` must be the client's ``error_cb``.

    Raises:
        Refused: it does not accept our login or certificate, or we do not accept its certificate.
        Unreachable: it does not answer in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        left = deadline - time.monotonic()
        try:
            return client.list_topics(topic, timeout=max(0.01, min(_ATTEMPT_SECONDS, left)))
        except KafkaException as error:
            client.poll(_PAUSE_SECONDS)  # hears the complaints
            if complaints.refusal is not None:
                raise Refused(_refused(complaints, kafka)) from None
            if time.monotonic() > deadline:
                raise Unreachable(_unreachable(complaints, kafka, error)) from None


def knock(kafka: "Kafka") -> None:
    """See that we are not refused; no answer is no refusal.

    Raises:
        Refused: as ``metadata``.
        SettingsError: as ``admin``.
    """
    complaints = Complaints()
    try:
        metadata(admin(kafka, complaints), complaints, kafka, _KNOCK_SECONDS)
    except Refused:
        raise
    except Unreachable:
        return


def _refused(complaints: Complaints, kafka: "Kafka") -> str:
    if complaints.untrusted:
        check = "kafka.ssl_ca_location, and whether the certificate names the host we connect to"
    elif kafka.sasl_mechanism == "OAUTHBEARER":
        check = "kafka.sasl_mechanism and kafka.oauth"
    else:
        check = "kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password"
    return f"no way into Kafka at {kafka.bootstrap_servers}: {complaints.refusal}; check {check}"


def _unreachable(complaints: Complaints, kafka: "Kafka", error: KafkaException) -> str:
    where = f"no Kafka at {kafka.bootstrap_servers}"
    if complaints.trouble is None:
        return (
            f"{where}: {error.args[0].str()}; check KAFKA_BOOTSTRAP_SERVERS, and whether its listener speaks "
            f"{kafka.security_protocol} (kafka.security_protocol)"
        )
    if "ssl" in complaints.trouble.lower():
        return (
            f"{where}: {complaints.trouble}; check kafka.security_protocol, and whether the broker asks for "
            "a certificate (kafka.ssl_certificate_location)"
        )
    return f"{where}: {complaints.trouble}; check KAFKA_BOOTSTRAP_SERVERS"


def _shortened(text: str) -> str:
    """Without how long it took, and without the package that librdkafka would install."""
    return re.sub(r" \((after \d+ms in state|install) [^)]*\)", "", text)
