"""What a managed Postgres asks of us: TLS, a user with few rights, and a pooler in between."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from drift_aware.schema.envelope import encode_rows
from drift_aware.schema.topics import EMBEDDINGS, INTERACTIONS, READINGS
from drift_aware.sql import migrate, store
from drift_aware.sql.embedded import EmbeddedPostgres
from drift_aware.sql.errors import DatabaseUnreachable
from rig.brokers import Broker
from rig.certificates import Certificates, OpensslMissing
from rig.commands import Command
from rig.pooler import PgBouncerMissing, Pooler
from rig.services import missing, wait_until
from rig_events import NOON, alert, embedding, interaction, publish, publish_alerts, readings

Start = Callable[..., Command]
EVENTS = 3_000


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    try:
        return Certificates(tmp_path_factory.mktemp("certificates"))
    except OpensslMissing as error:
        missing(str(error))


def pooler(server: EmbeddedPostgres, certificates: Certificates | None = None) -> Pooler:
    try:
        return Pooler(server.url, certificates)
    except PgBouncerMissing as error:
        missing(str(error))


@pytest.fixture(scope="module")
def secure(postgres_server: EmbeddedPostgres, certificates: Certificates) -> Iterator[Pooler]:
    with pooler(postgres_server, certificates) as found:
        yield found


def verified(secure: Pooler, url: str, authority: Path) -> str:
    return secure.url(url, f"sslmode=verify-full&sslrootcert={authority}")


def test_a_server_with_the_right_certificate_is_believed(
    secure: Pooler, certificates: Certificates, database_url: str
) -> None:
    with store.connect(verified(secure, database_url, certificates.ca), "test") as connection:
        assert connection.pgconn.ssl_in_use
        migrate.require_current(connection)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_one_with_a_certificate_of_somebody_else_is_not(
    secure: Pooler, certificates: Certificates, database_url: str, host: str
) -> None:
    # The certificate is for 127.0.0.1, from the authority that is right.
    authority = certificates.another_ca if host == "127.0.0.1" else certificates.ca
    url = verified(secure, database_url, authority).replace("127.0.0.1", host)
    with pytest.raises(DatabaseUnreachable) as caught:
        store.connect(url, "test")
    line = str(caught.value)
    assert "certificate" in line
    assert "check sslrootcert and the host in DATABASE_URL" in line
    assert "\n" not in line


def test_persist_writes_with_tls_and_says_in_one_line_when_it_may_not(
    secure: Pooler,
    certificates: Certificates,
    database_url: str,
    embedded_broker: Broker,
    start_command: Start,
) -> None:
    refused = start_command(
        "db", "status", database_url=verified(secure, database_url, certificates.another_ca)
    )
    assert refused.wait(30) == 1
    assert "check sslrootcert" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    process = start_command(
        "persist",
        bootstrap=embedded_broker.bootstrap,
        database_url=verified(secure, database_url, certificates.ca),
    )
    publish_alerts(embedded_broker.bootstrap, [alert()])
    wait_until(lambda: count(database_url, "drift_events") == 1, 60, process.shown)
    assert process.stop() == 0


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(SQL("SELECT count(*) FROM {}").format(Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])


def test_through_a_pooler_in_transaction_mode_every_event_is_stored_once(
    postgres_server: EmbeddedPostgres, empty_database_url: str, kafka_broker: Broker, start_command: Start
) -> None:
    bootstrap = kafka_broker.bootstrap
    with pooler(postgres_server) as between:
        url = between.url(empty_database_url)

        def run(*arguments: str) -> Command:
            return start_command(*arguments, bootstrap=bootstrap, database_url=url)

        assert run("db", "migrate").wait(60) == 0
        assert run("db", "retention").wait(60) == 0
        publish(
            bootstrap, INTERACTIONS.name, [(f"s{n}", encode_rows([interaction(n)])) for n in range(EVENTS)]
        )
        publish(bootstrap, EMBEDDINGS.name, [("e", encode_rows([embedding(n)])) for n in range(200)])
        publish(
            bootstrap,
            READINGS.name,
            [("all", msgspec.json.encode(readings(NOON + n * 10_000))) for n in range(50)],
        )
        # Three processes on two connections: each transaction may find itself on another one.
        both = [run("persist"), run("persist")]
        expected = {"interaction_log": EVENTS, "embeddings_log": 200, "pane_totals": 50}
        wait_until(
            lambda: all(count(empty_database_url, table) >= rows for table, rows in expected.items()),
            60,
            lambda: "\n".join(each.shown() for each in both),
        )
        assert [each.stop() for each in both] == [0, 0]
        assert not any("trying again" in each.stderr for each in both)
    assert {table: count(empty_database_url, table) for table in expected} == expected


@pytest.fixture
def plain_user_url(postgres_server: EmbeddedPostgres, empty_database_url: str) -> Iterator[str]:
    """A database whose owner has made the extension, as a user who may only create in its schema."""
    name = f"plain_{uuid.uuid4().hex}"
    role = Identifier(name)
    with psycopg.connect(empty_database_url, autocommit=True) as owner:
        owner.execute("CREATE EXTENSION vector")
        owner.execute(SQL("CREATE ROLE {} LOGIN").format(role))
        owner.execute(SQL("GRANT CREATE ON SCHEMA public TO {}").format(role))
        yield empty_database_url.replace("postgres@", f"{name}@")
        owner.execute(SQL("DROP OWNED BY {}").format(role))
        owner.execute(SQL("DROP ROLE {}").format(role))


def test_a_user_who_may_only_create_in_the_schema_does_everything(
    plain_user_url: str, embedded_broker: Broker, start_command: Start
) -> None:
    def run(*arguments: str) -> Command:
        return start_command(
            *arguments,
            bootstrap=embedded_broker.bootstrap,
            database_url=plain_user_url,
            retention__automatic=True,
            retention__interaction_log=36_500,
        )

    migrated = run("db", "migrate")
    assert migrated.wait(60) == 0, migrated.shown()
    publish(embedded_broker.bootstrap, EMBEDDINGS.name, [("e", encode_rows([embedding(1)]))])
    publish(embedded_broker.bootstrap, INTERACTIONS.name, [("s", encode_rows([interaction(1)]))])
    process = run("persist")
    wait_until(lambda: count(plain_user_url, "interaction_log") == 1, 60, process.shown)
    assert process.stop() == 0, process.shown()
    with store.connect(plain_user_url, "test") as connection:
        connection.execute("INSERT INTO pane_totals VALUES ('all', '1999-01-01Z', '1999-01-01Z', '{}')")
    cleaned = run("db", "retention")
    assert cleaned.wait(30) == 0, cleaned.shown()
    assert "pane_totals_default" in cleaned.stdout
