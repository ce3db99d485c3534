"""From the call of a model, by whichever way it is made, to a row in Postgres that feedback has found."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import psycopg
import pytest
from fastapi import Body, FastAPI
from fastapi.testclient import TestClient
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.runnables import RunnableConfig, RunnableLambda

from drift_aware.producers import Publisher
from drift_aware.producers.integrations.asgi import Chat, DriftAwareMiddleware
from drift_aware.producers.integrations.langchain import DriftAwareHandler
from rig.brokers import Broker
from rig.commands import Command
from rig.gateway import Gateway
from rig.services import wait_until

QUESTION, ANSWER = "Where is my parcel?", "It left this morning."
FOUND = """
SELECT interaction.user_query, interaction.model_response, interaction.session_id, joined.thumbs
FROM interaction_log interaction JOIN interaction_feedback joined ON joined.interaction_id = interaction.id
WHERE interaction.id = %s
"""


def by_litellm(bootstrap: str, folder: Path) -> str:
    with Gateway(folder, bootstrap) as gateway:
        return str(gateway.ask(litellm_session_id="s-1842")["id"])


def by_langchain(bootstrap: str, folder: Path) -> str:
    chosen = uuid4()
    with Publisher(bootstrap) as publisher:
        chain = RunnableLambda(lambda text: text) | FakeListChatModel(responses=[ANSWER])
        config: RunnableConfig = {"run_id": chosen, "metadata": {"session_id": "s-1842"}}
        chain.invoke(QUESTION, config | {"callbacks": [DriftAwareHandler(publisher)]})
    return str(chosen)


def by_http(bootstrap: str, folder: Path) -> str:
    app = FastAPI()

    @app.post("/chat")
    def chat(asked: Annotated[dict[str, str], Body()]) -> dict[str, str]:
        return {"reply": ANSWER if asked["question"] == QUESTION else "What?"}

    with Publisher(bootstrap) as publisher:
        chats = {"POST /chat": Chat(question="question", answer="reply")}
        app.add_middleware(DriftAwareMiddleware, publisher=publisher, chats=chats)
        with TestClient(app) as client:
            answer = client.post("/chat", json={"question": QUESTION}, headers={"X-Session-Id": "s-1842"})
    return str(answer.headers["X-Interaction-Id"])


@pytest.mark.parametrize("ask", [by_litellm, by_langchain, by_http])
def test_a_call_becomes_a_row_and_feedback_finds_it(
    ask: Callable[[str, Path], str],
    kafka_broker: Broker,
    database_url: str,
    tmp_path: Path,
    start_command: Callable[..., Command],
) -> None:
    interaction = ask(kafka_broker.bootstrap, tmp_path)
    with Publisher(kafka_broker.bootstrap) as publisher:
        publisher.feedback(interaction, thumbs="up", session_id="s-1842")
    process = start_command("persist", bootstrap=kafka_broker.bootstrap, database_url=database_url)

    def found() -> list[tuple[object, ...]]:
        with psycopg.connect(database_url) as connection:
            return connection.execute(FOUND, [interaction]).fetchall()

    assert wait_until(found, 60, process.shown) == [(QUESTION, ANSWER, "s-1842", "up")]
    assert process.stop() == 0
