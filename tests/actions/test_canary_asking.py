"""What an endpoint answers, whatever it is, and what that has cost."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import stamina

from drift_aware.actions.canary import cost
from drift_aware.actions.canary.asking import Endpoint, Round, endpoints
from drift_aware.actions.canary.goldens import PROMPTS, TEXTS, prompts, texts
from drift_aware.schema.canary_settings import CanaryChat, CanaryEmbedding
from rig.configuration import make_settings
from rig.provider import KEY, Provider

TEXTS_ASKED = ["one", "two", "three"]
PRICES: dict[str, Any] = {
    "small": {"input_per_million": 1, "output_per_million": 2, "embedding_per_million": 3}
}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider, stamina.set_testing(True, attempts=1):
        provider.answers["small"] = lambda prompt: prompt.upper()
        yield provider


def made(provider: Provider, **chat: Any) -> tuple[Endpoint, Endpoint]:
    endpoint = {"base_url": provider.url, "api_key": KEY, "model": "small"}
    canary = {"chat": endpoint | chat, "embedding": endpoint | {"texts": TEXTS_ASKED}}
    one, other = endpoints(make_settings(canary=canary))
    return one, other


def asked(endpoint: Endpoint) -> Round:
    return endpoint.ask(lambda: False)


def test_every_prompt_and_every_string_has_its_answer(provider: Provider) -> None:
    chat, embedder = made(provider)
    answered = asked(chat)
    assert answered.answers == {question.name: question.prompt.upper() for question in PROMPTS}
    assert (answered.reported, answered.input_tokens, answered.output_tokens) == ("small", 120, 60)
    found = asked(embedder)
    vectors = [np.frombuffer(vector, "<f4").tolist() for vector in found.vectors.values()]
    assert vectors == [[1.0, 3.0], [1.0, 3.0], [1.0, 5.0]]
    assert found.input_tokens == 9


@pytest.mark.parametrize(
    "vector", [[], [0.0, 0.0], [float("inf")], [float("nan")], [1e300], "no base64", {"a": 1}, [[1.0]], None]
)
def test_a_vector_that_is_none_is_an_error_and_no_answer(provider: Provider, vector: Any) -> None:
    _, embedder = made(provider)
    provider.vectors = lambda _: vector
    found = asked(embedder)
    assert (found.errors, found.answered) == (1, False)


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": [{"message": {"content": 7}}]}, {"data": 1}]
)
def test_an_answer_of_another_shape_is_an_error_and_no_answer(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    monkeypatch.setattr(provider, "post", lambda *_: body)
    for endpoint in made(provider):
        found = asked(endpoint)
        assert not found.answered
        assert found.errors == len(endpoint.questions) if endpoint.id == "answers" else 1


def test_what_is_null_is_left_out_of_the_request(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[dict[str, Any]] = []

    def noted(_: str, __: object, body: bytes) -> dict[str, Any]:
        bodies.append(json.loads(body))
        return {}

    monkeypatch.setattr(provider, "post", noted)
    asked(made(provider, system="Be brief.")[0])
    asked(made(provider, temperature=None, max_tokens=None, seed=None)[0])
    assert bodies[0].keys() == {"model", "messages", "max_tokens", "temperature", "seed"}
    assert bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert bodies[-1].keys() == {"model", "messages"}


def test_a_round_that_is_stopped_asks_no_more(provider: Provider) -> None:
    for endpoint in made(provider):
        assert not endpoint.ask(lambda: True).answered
    assert provider.requests == []


def test_what_a_round_costs_is_known_before_and_after(provider: Provider) -> None:
    prices = make_settings(prices=PRICES).prices
    for endpoint in made(provider):
        most, found = cost.most_usd(endpoint, prices), asked(endpoint)
        spent = cost.spent_usd(endpoint, prices, found)
        assert most is not None
        assert spent is not None
        assert 0 < spent < most
        assert cost.spent_usd(endpoint, prices, Round(answers={"sum": "42"})) == most
        assert cost.most_usd(endpoint, {}) is None
    assert cost.most_usd_a_day(made(provider), {}, 60) is None


def test_the_built_in_questions_are_a_dozen_each_and_like_no_other() -> None:
    address = {"base_url": "https://api.example.com/v1", "model": "small"}
    for questions in (prompts(CanaryChat(**address)), texts(CanaryEmbedding(**address))):
        assert len({question.name for question in questions}) == len(questions) == 12
        assert len({question.prompt for question in questions}) == 12
    assert len(TEXTS) == len(PROMPTS)
