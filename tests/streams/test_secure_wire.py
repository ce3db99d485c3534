"""TLS and SASL from the one section of the settings, on a real Kafka, through both clients."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from drift_aware.producers import Publisher
from drift_aware.schema import topics
from drift_aware.schema.errors import Refused, Unreachable
from drift_aware.schema.segments import ALL
from drift_aware.streams.status import totals
from rig.certificates import KEY_PASSWORD
from rig.commands import Command
from rig.configuration import make_settings
from rig.secure_kafka import PASSWORD, USER, SecureKafka
from rig.services import wait_until
from rig.tokens import CLIENT_ID, CLIENT_SECRET, SCOPE, TokenServer

StartCommand = Callable[..., Command]
WRONG = "hunter2"
EVENTS = 40
SECRETS = (PASSWORD, CLIENT_SECRET, KEY_PASSWORD, WRONG)


class Ways:
    """The settings for each way into the secure Kafka."""

    def __init__(self, server: SecureKafka, tokens: TokenServer) -> None:
        self._server, self._tokens = server, tokens

    def sasl(self, mechanism: str, protocol: str = "SASL_SSL", **changed: Any) -> dict[str, Any]:
        values = self._at(protocol) | {"sasl_mechanism": mechanism}
        if mechanism == "OAUTHBEARER":
            values["oauth"] = {
                "token_url": self._tokens.url,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "scope": SCOPE,
            } | changed.pop("oauth", {})
        else:
            values |= {"sasl_username": USER, "sasl_password": PASSWORD}
        return values | changed

    def certificate(self) -> dict[str, Any]:
        papers = self._server.certificates
        return self._at("SSL") | {
            "ssl_certificate_location": str(papers.client),
            "ssl_key_location": str(papers.client_key),
            "ssl_key_password": KEY_PASSWORD,
        }

    def at(self, listener: str, protocol: str) -> dict[str, Any]:
        """What speaks one protocol to the listener of another."""
        return self._at(protocol) | {"bootstrap_servers": self._server.addresses[listener]}

    def _at(self, protocol: str) -> dict[str, Any]:
        return {
            "security_protocol": protocol,
            "bootstrap_servers": self._server.addresses[protocol],
            "ssl_ca_location": str(self._server.certificates.ca),
        }


@pytest.fixture
def ways(secure_kafka: SecureKafka, token_server: TokenServer) -> Ways:
    return Ways(secure_kafka, token_server)


WAYS: dict[str, Callable[[Ways], dict[str, Any]]] = {
    "certificate": Ways.certificate,
    "PLAIN": lambda ways: ways.sasl("PLAIN"),
    "SCRAM-SHA-256": lambda ways: ways.sasl("SCRAM-SHA-256"),
    "SCRAM-SHA-512": lambda ways: ways.sasl("SCRAM-SHA-512"),
    "SCRAM-SHA-512 without TLS": lambda ways: ways.sasl("SCRAM-SHA-512", "SASL_PLAINTEXT"),
    "OAUTHBEARER": lambda ways: ways.sasl("OAUTHBEARER"),
}


def variables(kafka: dict[str, Any]) -> dict[str, str]:
    return {
        f"kafka__{name}": json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in kafka.items()
    }


@pytest.mark.parametrize("way", WAYS)
def test_what_is_published_is_counted_whatever_the_way_in(
    way: str, ways: Ways, secure_kafka: SecureKafka, start_command: StartCommand
) -> None:
    kafka = WAYS[way](ways)
    settings = make_settings(kafka=kafka)
    secure_kafka.clear()
    assert len(topics.create(settings)) == len(topics.TOPICS)
    worker = start_command("worker", log_level="DEBUG", **variables(kafka))
    with Publisher(str(settings.kafka.bootstrap_servers), client=settings.kafka.client()) as publisher:
        for number in range(EVENTS):
            publisher.interaction(id=f"i{number}", user_query="where is it?", model_response="here")
        assert publisher.flush(20) == 0
        assert publisher.dropped == {}
    wait_until(lambda: totals(settings)[ALL]["interactions"] == EVENTS, 60, worker.shown)
    status = start_command("status", "--json", **variables(kafka))
    assert status.wait() == 0
    assert json.loads(status.stdout)["segments"][ALL]["interactions"] == EVENTS
    assert worker.stop() == 0
    assert not [secret for secret in SECRETS if secret in worker.stderr + status.stderr]


REFUSED: dict[str, tuple[Callable[[Ways], dict[str, Any]], str]] = {
    "a wrong password": (
        lambda ways: ways.sasl("SCRAM-SHA-512", sasl_password=WRONG),
        "kafka.sasl_username and kafka.sasl_password",
    ),
    "a wrong password, PLAIN": (
        lambda ways: ways.sasl("PLAIN", sasl_password=WRONG),
        "Invalid username or password",
    ),
    "another authority": (
        lambda ways: ways.sasl("PLAIN", ssl_ca_location=str(ways._server.certificates.another_ca)),
        "check kafka.ssl_ca_location",
    ),
    "an authority the system does not know": (
        lambda ways: ways.sasl("PLAIN", ssl_ca_location=None),
        "check kafka.ssl_ca_location",
    ),
    "another host name": (
        lambda ways: ways.sasl(
            "PLAIN",
            bootstrap_servers=ways._server.addresses["SASL_SSL"].replace("127.0.0.1", "localhost"),
        ),
        "whether the certificate names the host",
    ),
    "a login for a listener without logins": (
        lambda ways: ways.sasl("PLAIN", "SASL_PLAINTEXT") | ways.at("PLAINTEXT", "SASL_PLAINTEXT"),
        "check kafka.sasl_mechanism",
    ),
    "a wrong client secret": (
        lambda ways: ways.sasl("OAUTHBEARER", oauth={"client_secret": WRONG}),
        'invalid_client"}; check kafka.sasl_mechanism and kafka.oauth',
    ),
    "no token endpoint": (
        lambda ways: ways.sasl("OAUTHBEARER", oauth={"token_url": "http://127.0.0.1:1/token"}),
        "Failed to connect to 127.0.0.1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_says_at_once_which_setting_to_look_at(case: str, ways: Ways) -> None:
    kafka, says = REFUSED[case]
    with pytest.raises(Refused) as caught:
        topics.existing(make_settings(kafka=kafka(ways)), timeout_seconds=60)  # it does not take so long
    text = str(caught.value)
    assert says in text
    assert "\n" not in text
    assert WRONG not in text


WRONG_PROTOCOL: dict[str, tuple[Callable[[Ways], dict[str, Any]], str]] = {
    "plain to TLS": (lambda ways: ways.at("SSL", "PLAINTEXT"), "speaks PLAINTEXT (kafka.security_protocol)"),
    "plain to SASL": (
        lambda ways: ways.at("SASL_PLAINTEXT", "PLAINTEXT"),
        "speaks PLAINTEXT (kafka.security_protocol)",
    ),
    "TLS to plain": (lambda ways: ways.at("PLAINTEXT", "SSL"), "check kafka.security_protocol"),
    "TLS without a certificate": (lambda ways: ways.at("SSL", "SSL"), "kafka.ssl_certificate_location"),
}


@pytest.mark.parametrize("case", WRONG_PROTOCOL)
def test_a_client_of_another_protocol_is_told_which_setting_says_so(case: str, ways: Ways) -> None:
    kafka, says = WRONG_PROTOCOL[case]
    with pytest.raises(Unreachable) as caught:
        topics.existing(make_settings(kafka=kafka(ways)), timeout_seconds=2)
    assert says in str(caught.value)


def test_a_name_that_is_not_in_the_certificate_is_no_matter_if_it_is_not_checked(
    ways: Ways, secure_kafka: SecureKafka
) -> None:
    elsewhere = secure_kafka.addresses["SASL_SSL"].replace("127.0.0.1", "localhost")
    kafka = ways.sasl("PLAIN", bootstrap_servers=elsewhere, ssl_check_hostname=False)
    topics.existing(make_settings(kafka=kafka))  # raises nothing


def test_with_a_wrong_password_every_verb_ends_with_one_line(ways: Ways, start_command: StartCommand) -> None:
    kafka = variables(ways.sasl("SCRAM-SHA-512", sasl_password=WRONG))
    nowhere = "postgresql://127.0.0.1:1/nothing"
    verbs = ("worker", "persist", "act", "status", "alerts --follow", "topics create", "simulate", "check")
    commands = [start_command(*verb.split(), database_url=nowhere, **kafka) for verb in verbs]
    for command in commands:
        assert command.wait() == 1
        told = command.stdout.splitlines()[0] if command.arguments == ("check",) else command.stderr
        assert "check kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password" in told
        assert told.strip().count("\n") == 0
        assert WRONG not in command.stdout + command.stderr
