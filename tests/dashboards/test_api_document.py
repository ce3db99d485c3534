"""The OpenAPI document is complete, and the API keeps to it whatever is sent."""

from collections.abc import Iterator
from datetime import UTC, datetime

import hypothesis
import pytest
import schemathesis
from starlette.types import ASGIApp, Receive, Scope, Send

from drift_aware.actions import ledger
from drift_aware.schema import wire_examples
from drift_aware.sql.store import Connection
from drift_aware.streams.summary import Summary
from rig.api import ACTS, Persisted, client, make_app
from rig_events import alert, embedding, evaluation, feedback, interaction

# Of each operation, beside those at every edge of its parameters; more find more: pytest --hypothesis-seed=N.
EXAMPLES = 15


@pytest.fixture
def filled(connection: Connection, persisted: Persisted) -> None:
    """A database with something of everything."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    for number in range(30):
        persisted.events("interaction", [interaction(number, ts=now - number)])
    persisted.events("embedding", [embedding(number) for number in range(5)])
    persisted.events("feedback", [feedback(number) for number in range(5)])
    persisted.events("evaluation", [evaluation(number) for number in range(5)])
    persisted.alerts([alert(1), alert(2, status="resolved"), wire_examples.ALERT])
    for ago in range(14):
        persisted.day("evaluation", ago, Summary({"events": 200, "graded": 200, "correct": 180 - 3 * ago}))
    with connection.transaction():
        ledger.enter(connection, wire_examples.ACTION, wire_examples.ALERT, expires_hours=72)


class Current:
    """The application of the test that runs; the document is the same for all of them."""

    def __init__(self) -> None:
        self.app: ASGIApp = make_app("postgresql://localhost/none")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


current = Current()
schema = schemathesis.openapi.from_asgi("/openapi.json", current)


@pytest.fixture
def served(database_url: str, filled: None) -> Iterator[None]:
    """``current`` answers from a database with something of everything."""
    app = make_app(database_url)
    with client(app):
        current.app = app
        yield


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_the_api_keeps_to_its_document_whatever_is_sent(
    case: schemathesis.Case,  # type: ignore[type-arg]
    served: None,
) -> None:
    case.call_and_validate(headers=ACTS)


def test_every_operation_is_described_with_examples_and_everything_it_may_answer() -> None:
    document = make_app("postgresql://localhost/none").openapi()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path
            open_to_all = path in ("/health", "/ready", "/metrics")
            assert ("security" not in operation) == open_to_all, path
            assert open_to_all or {"401", "403", "422", "500", "503"} <= set(operation["responses"]), path
            for status, answer in operation["responses"].items():
                media = answer["content"]
                if path != "/metrics":
                    assert all("example" in body for body in media.values()), (path, status)
                if status >= "400":
                    assert list(media) == ["application/problem+json"]
