"""What becomes of the page when the server, the database or the line goes away and comes back."""

from collections.abc import Callable

import msgspec
import psycopg
import pytest
from playwright.sync_api import expect
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from drift_aware.schema.alerts import Alert
from drift_aware.schema.topics import ALERTS
from drift_aware.sql.embedded import EmbeddedPostgres
from rig.api import Persisted
from rig.brokers import Broker
from rig.browser import Visit
from rig.commands import Command
from rig.serving import address
from rig_events import alert, publish

See = Callable[..., Visit]
Serve = Callable[..., Command]


def fresh(number: int, now: int, **fields: object) -> Alert:
    return alert(number, segment="all", detector="shift", ts=now, onset=now, **fields)


def test_it_says_that_it_reconnects_and_catches_up_when_the_server_is_back(
    visit: See, serve: Serve, calm_shop: int, persisted: Persisted, free_port: int
) -> None:
    server = serve("--port", str(free_port), tokens=[])
    page = visit(address(server)).go()
    expect(page.locator("#link")).to_have_text("live")
    assert server.stop() == 0
    expect(page.locator("#link")).to_have_text("reconnecting")
    expect(page.get_by_role("alert")).to_contain_text("What is below is from before")
    persisted.alerts([fresh(1, calm_shop)])
    address(serve("--port", str(free_port), tokens=[]))
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("h1")).to_have_text("All traffic drifts.")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_database_that_is_away_is_said_and_what_was_known_stays(
    visit: See, open_url: str, calm_shop: int, postgres_server: EmbeddedPostgres, database_url: str
) -> None:
    name = str(conninfo_to_dict(database_url)["dbname"])
    page = visit(open_url).go()
    with psycopg.connect(postgres_server.url, autocommit=True) as other:
        other.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(name)))
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        expect(page.get_by_role("alert")).to_contain_text("The database does not answer")
        expect(page.locator("h1")).to_have_text("Nothing drifts.")
        other.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(Identifier(name)))
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.timeout(300)
def test_an_alert_on_kafka_is_on_the_page_once_persist_has_committed_it(
    visit: See,
    open_url: str,
    calm_shop: int,
    kafka_broker: Broker,
    database_url: str,
    start_command: Serve,
) -> None:
    page = visit(open_url).go()
    persist = start_command("persist", bootstrap=kafka_broker.bootstrap, database_url=database_url)
    publish(kafka_broker.bootstrap, ALERTS.name, [("all", msgspec.json.encode(fresh(1, calm_shop)))])
    expect(page.locator("h1"), persist.shown()).to_have_text("All traffic drifts.")
    page.get_by_role("link", name="The refusal rate in all traffic").click()
    expect(page.locator("h1")).to_have_text("refusals rose from 3 % to 12 %")
    assert persist.stop() == 0
