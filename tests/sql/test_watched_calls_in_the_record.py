"""From a call of a model to its row: the real clients, the real Kafka, ``persist``, Postgres."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import psycopg

from drift_aware.producers import Publisher
from drift_aware.producers.integrations import about, interaction_id, watch
from rig.brokers import Broker
from rig.commands import Command
from rig.models import MODEL, Models
from rig.services import wait_until
from rig.watched import QUESTION

_ROWS = """
SELECT i.id::text, i.session_id, i.model, i.user_query, i.model_response, i.input_tokens, i.cost_usd, f.thumbs
FROM interaction_log i LEFT JOIN feedback_log f ON f.interaction_id = i.id ORDER BY i.ts
"""


def rows(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(_ROWS).fetchall()


def vectors(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT interaction_id, model, kind FROM embeddings_log").fetchall()


def test_calls_are_rows_and_feedback_finds_them(
    kafka_broker: Broker, database_url: str, start_command: Callable[..., Command]
) -> None:
    process = start_command("persist", bootstrap=kafka_broker.bootstrap, database_url=database_url)
    found = []
    with Models() as models, Publisher(kafka_broker.bootstrap, app="shop") as publisher:
        asked: list[Any] = [{"role": "user", "content": QUESTION}]
        prices = {MODEL: (2.0, 8.0)}
        with openai.OpenAI(api_key="sk", base_url=f"{models.url}/v1") as client:
            watch(client, publisher, prices=prices)
            with about(session_id="s-1"):
                answer = client.chat.completions.create(model=MODEL, messages=asked)
                stream = client.chat.completions.create(model=MODEL, messages=asked, stream=True)
                assert len(list(stream)) > 3
                found += [interaction_id(answer), interaction_id(stream)]
                with about(interaction_id=interaction_id(answer)):
                    client.embeddings.create(model="embedder", input=QUESTION)
        with anthropic.Anthropic(api_key="sk", base_url=models.url) as other:
            watch(other, publisher, prices=prices)
            found.append(interaction_id(other.messages.create(model=MODEL, messages=asked, max_tokens=9)))
        publisher.feedback(found[0], thumbs="up", session_id="s-1")
        publisher.feedback(found[2], thumbs="down")
        assert publisher.flush(20) == 0
        assert publisher.dropped == {}
    wait_until(lambda: [row[-1] for row in rows(database_url)] == ["up", None, "down"], 60, process.shown)
    wait_until(lambda: vectors(database_url), 60, process.shown)
    said = (MODEL, QUESTION, "It left this morning.")
    assert rows(database_url) == [
        (found[0], "s-1", *said, 11, 78e-6, "up"),
        (found[1], "s-1", *said, 11, 78e-6, None),
        (found[2], None, *said, 11, 78e-6, "down"),
    ]
    assert vectors(database_url) == [(found[0], "embedder", "query")]
    assert process.stop() == 0
