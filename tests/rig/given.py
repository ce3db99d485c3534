"""What the pages of the documentation take for granted: services, an application, a token."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import certifi
import msgspec

from drift_aware.actions import ledger
from drift_aware.schema import wire_examples
from drift_aware.sql import dimensions, store
from rig.api import Persisted
from rig.embeddings import Endpoint
from rig.kafka import free_ports
from rig.models import Models
from rig.pages import ROOT
from rig.provider import KEY, Provider
from rig_events import embedding

# An application as the pages have it: a model that answers, an embedder.
_APPLICATION = """
from types import SimpleNamespace

my_model = lambda question: SimpleNamespace(text="It left this morning.", latency_ms=840.0)
my_embedder = lambda text: [0.6, 0.0, -0.8]
ask = lambda model, question: my_model(question).text
question = "Where is my parcel?"
"""
_TOKEN = "drift-aware-on-this-machine"
_API_TOKENS = f'[{{"name": "docs", "token": "{_TOKEN}", "scopes": ["read", "act"]}}]'


@dataclass(frozen=True, slots=True)
class Given:
    """What there is before a page is told.

    Attributes:
        places: what the page calls something to what it is called here.
        environment: variables of its commands.
        prelude: stands before its Python.
        services: run while the page is told.
    """

    places: dict[str, str]
    environment: dict[str, str]
    prelude: str = _APPLICATION
    services: tuple[AbstractContextManager[object], ...] = ()


def of(page: str, bootstrap: str, database_url: str) -> Given:
    """What a page is given.

    Args:
        page: its name from the root of the project.
        bootstrap: of a broker with all topics.
        database_url: of a migrated database.
    """
    api, metrics, other = free_ports(3)
    every = Given(
        {
            "localhost:9092": bootstrap,
            "kafka.example.org:9093": bootstrap,
            "postgresql://localhost/drift": database_url,
            "127.0.0.1:8080": f"127.0.0.1:{api}",
            "localhost:9108": f"localhost:{metrics}",
            "PORT=9000": f"PORT={other}",
        },
        {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PORT": str(api),
            "PROMETHEUS_PORT": str(metrics),
            # curl tells by its exit code what was answered.
            "CURL_HOME": str(Path(__file__).with_name("curl")),
        },
    )
    return _MORE[page](every, database_url) if page in _MORE else every


def _for_api(given: Given, database_url: str) -> Given:
    """A token, and two actions that wait for an answer."""
    for last in "bc":
        _propose(database_url, f"5f0c8e4a-2f7d-5c43-9f5e-0c1d2e3f4a5{last}")
    return replace(given, environment=given.environment | {"DRIFT_AWARE_API__TOKENS": _API_TOKENS})


def _for_approving(given: Given, database_url: str) -> Given:
    """An action that waits for an answer."""
    _propose(database_url, wire_examples.ACTION.id)
    return given


def _propose(database_url: str, name: str) -> None:
    with store.connect(database_url, "given") as connection, connection.transaction():
        action = msgspec.structs.replace(wire_examples.ACTION, id=name)
        ledger.enter(connection, action, wire_examples.ALERT, expires_hours=72)


def _for_canaries(given: Given, _: str) -> Given:
    """What is asked."""
    provider = Provider()
    provider.answers["gpt-4o"] = lambda _: "It left this morning."
    return replace(
        given,
        places=given.places | {"https://api.example.com/v1": provider.url},
        environment=given.environment | {"OPENAI_API_KEY": KEY},
        services=(provider,),
    )


def _for_kafka(given: Given, _: str) -> Given:
    return replace(
        given,
        places=given.places | {"/etc/kafka/ca.pem": certifi.where()},
        environment=given.environment | {"KAFKA_PASSWORD": "a password"},
    )


def _for_otlp(given: Given, _: str) -> Given:
    """A port for the listener."""
    (port,) = free_ports(1)
    return replace(given, places=given.places | {"127.0.0.1:4318": f"127.0.0.1:{port}"})


def _for_postgres(given: Given, database_url: str) -> Given:
    """Vectors of 384 numbers."""
    with store.connect(database_url, "given") as connection:
        dimensions.make(connection, 384)
        Persisted(connection).events("embedding", [embedding(1, dim=384)])
    return given


def _for_clients(given: Given, _: str) -> Given:
    """Models, where the clients of the page look for theirs."""
    models = Models()
    addresses = {"OPENAI_BASE_URL": f"{models.url}/v1", "ANTHROPIC_BASE_URL": models.url}
    keys = {"OPENAI_API_KEY": "sk-none", "ANTHROPIC_API_KEY": "sk-none"}
    return replace(given, environment=given.environment | addresses | keys, services=(models,))


def _for_application(given: Given, _: str) -> Given:
    """A port for the application of the page, where the page says 8000."""
    [port] = free_ports(1)
    places = {"localhost:8000": f"localhost:{port}", "--port 8000": f"--port {port}"}
    folder = {"examples/chat_app": str(ROOT / "examples" / "chat_app")}
    return replace(given, places=given.places | places | folder)


def _for_litellm(given: Given, database_url: str) -> Given:
    """Models, and LiteLLM without what it would fetch from the internet."""
    found = _for_clients(given, database_url)
    return replace(found, environment=found.environment | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"})


def _for_embedding(given: Given, _: str) -> Given:
    """What makes vectors."""
    endpoint = Endpoint(1536)
    return replace(
        given,
        places=given.places | {"https://embeddings.example.org/v1": endpoint.url},
        services=(endpoint,),
    )


def _for_publishing(given: Given, database_url: str) -> Given:
    """The log of an application."""
    with store.connect(database_url, "given") as connection:
        connection.execute(
            "CREATE TABLE chat_log AS SELECT n AS id, now() AS created_at, 'why?' AS question,"
            " 'because' AS answer, 'gpt-4o' AS model FROM generate_series(1, 3) AS n"
        )
    return given


_MORE: Mapping[str, Callable[[Given, str], Given]] = {
    "docs/api.md": _for_api,
    "docs/howto/approve.md": _for_approving,
    "docs/integrations/openai-and-anthropic.md": _for_clients,
    "docs/integrations/asgi.md": _for_application,
    "docs/integrations/embed.md": _for_embedding,
    "docs/integrations/litellm.md": _for_litellm,
    "docs/integrations/otlp.md": _for_otlp,
    "docs/integrations/publish.md": _for_publishing,
    "docs/integrations/canary.md": _for_canaries,
    "docs/kafka.md": _for_kafka,
    "docs/postgres.md": _for_postgres,
    "examples/chat_app/README.md": _for_application,
}
