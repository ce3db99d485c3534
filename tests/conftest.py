"""Brokers, databases and processes for tests, each test's own.

A service that is missing skips the test at a desk and fails it in CI.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest

from drift_aware.schema.settings import Settings
from drift_aware.sql.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
from drift_aware.streams.embedded import EmbeddedBroker, every_topic
from rig import configuration
from rig.brokers import Broker
from rig.certificates import OpensslMissing
from rig.commands import Command
from rig.kafka import KafkaServer, KafkaUnavailable
from rig.postgres import fresh_database
from rig.secure_kafka import SecureKafka
from rig.services import missing
from rig.tokens import TokenServer


def pytest_configure() -> None:
    configuration.forget_desk(os.environ)
    # How long an example takes says more of the machine than of the code.
    hypothesis.settings.register_profile("patient", deadline=None)
    hypothesis.settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "postgres_server" in fixtures:
            item.add_marker("postgres")
        if "kafka_server" in fixtures or "secure_kafka" in fixtures:
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """The real Kafka of this run, which a test may stop, kill and start. It stays up between tests."""
    try:
        server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    except KafkaUnavailable as error:
        missing(str(error))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A second real Kafka, with TLS and SASL; one for this run, and only if a test asks for it."""
    try:
        server = SecureKafka(tmp_path_factory.mktemp("secure-kafka"))
    except (KafkaUnavailable, OpensslMissing) as error:
        missing(str(error))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def token_server() -> Iterator[TokenServer]:
    """A token endpoint for OAUTHBEARER."""
    with TokenServer() as server:
        yield server


@pytest.fixture
def kafka_broker(kafka_server: KafkaServer) -> Broker:
    """The real Kafka, emptied."""
    kafka_server.reset()
    return Broker("kafka", kafka_server.bootstrap)


@pytest.fixture
def embedded_broker() -> Iterator[Broker]:
    """A new embedded broker."""
    with EmbeddedBroker(every_topic(configuration.PARTITIONS)) as broker:
        yield Broker("embedded", broker.bootstrap)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """The embedded broker and the real Kafka, in turn."""
    found: Broker = request.getfixturevalue(f"{request.param}_broker")
    return found


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """The PostgreSQL of this run."""
    server = EmbeddedPostgres(durable=False)
    try:
        server.start()
    except EmbeddedPostgresFailed as error:
        missing(str(error))
    yield server
    server.stop()


@pytest.fixture
def empty_database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The address of a database with nothing in it."""
    with fresh_database(postgres_server.url) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The name of a database with all migrations applied, to be copied."""
    # Imported here, so that a broken migration fails the tests that need one and no others.
    from drift_aware.sql.migrate import migrate

    with fresh_database(postgres_server.url) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """The address of a database with all migrations applied and no rows."""
    with fresh_database(postgres_server.url, migrated_template) as url:
        yield url


class MakeSettings(Protocol):
    def __call__(
        self, bootstrap: str | None = None, database_url: str | None = None, **values: object
    ) -> Settings: ...


@pytest.fixture(name="make_settings")
def _make_settings() -> MakeSettings:
    """``rig.configuration.make_settings``."""
    return configuration.make_settings


@pytest.fixture
def start_command(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Starts a verb: ``start_command("worker", bootstrap=…, limits__min_samples=5)``.

    What still runs at the end of the test is killed; a failed test shows what its commands said.
    """
    started: list[Command] = []

    def start(
        *arguments: str, bootstrap: str | None = None, database_url: str | None = None, **values: object
    ) -> Command:
        variables = configuration.environment(bootstrap, database_url, **values)
        started.append(Command(arguments, variables, tmp_path))
        return started[-1]

    yield start
    for command in started:
        command.kill()
        print(command.shown())  # noqa: T201 - pytest shows it beside a failure
