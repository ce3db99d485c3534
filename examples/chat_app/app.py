"""A chat application that is watched: it publishes questions, answers and opinions, and shows the alerts."""

import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from uuid import uuid4

from confluent_kafka import Consumer
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from drift_aware.producers import Publisher
from drift_aware.producers.integrations.asgi import Chat, DriftAwareMiddleware
from drift_aware.producers.simulate.embedder import TextHashEmbedder

SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
MODEL = "parrot-1"

publisher = Publisher(SERVERS, app="shop", model=MODEL)
embedder = TextHashEmbedder()
alerts: dict[str, Any] = {}


class Question(BaseModel):
    text: str


class Opinion(BaseModel):
    interaction_id: str
    thumbs: Literal["up", "down"]


def model(question: str) -> Iterator[str]:
    """The words of an answer; yours asks a real model."""
    yield from f"You ask: {question} I shall find out.".split(" ")


def follow_alerts(stop: threading.Event) -> None:
    """Keep the latest revision of every alert."""
    consumer = Consumer(
        {"bootstrap.servers": SERVERS, "group.id": f"chat-app-{uuid4()}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["drift.alerts.v1"])
    while not stop.is_set():
        record = consumer.poll(0.2)
        if record is not None and record.error() is None and (value := record.value()):
            alert = json.loads(value)
            alerts[alert["id"]] = alert
    consumer.close()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    stop = threading.Event()
    follower = threading.Thread(target=follow_alerts, args=[stop])
    follower.start()
    yield
    stop.set()
    follower.join()
    publisher.close()


app = FastAPI(lifespan=lifespan)
chats = {"POST /chat": Chat(question="text", answer="answer"), "POST /stream": Chat(question="text")}
app.add_middleware(DriftAwareMiddleware, publisher=publisher, chats=chats)


@app.post("/chat")
def chat(question: Question, request: Request) -> dict[str, str]:
    publish_vector(question, request)
    return {"answer": " ".join(model(question.text)), "interaction_id": request.state.interaction["id"]}


@app.post("/stream")
def stream(question: Question, request: Request) -> StreamingResponse:
    publish_vector(question, request)
    return StreamingResponse((f"{word} " for word in model(question.text)), media_type="text/plain")


@app.post("/feedback", status_code=204)
def feedback(opinion: Opinion) -> None:
    publisher.feedback(opinion.interaction_id, thumbs=opinion.thumbs)


@app.get("/alerts")
def firing() -> list[dict[str, Any]]:
    return [alert for alert in alerts.values() if alert["status"] == "firing"]


def publish_vector(question: Question, request: Request) -> None:
    vector = embedder.embed(question.text)
    interaction = request.state.interaction["id"]
    publisher.embedding(vector, dtype="float16", interaction_id=interaction, model=embedder.name)
