"""Calls to a provider that refuses, breaks and lies."""

from collections.abc import Iterator

import pytest
import stamina

from drift_aware.actions.calls import ATTEMPTS, LONGEST_WAIT_SECONDS, Api, NotThere, _Again, backoff
from drift_aware.actions.errors import ActionFailed, Unknown
from drift_aware.schema.errors import Unreachable
from rig.provider import AFTER, BEFORE, KEY, Provider

NOBODY = "http://127.0.0.1:1"
ASK = {"model": "a", "messages": [{"content": "hi"}]}
TRAIN = {"days": 1, "force": True, "key": "k"}


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        provider.answers["a"] = str.upper
        yield provider


@pytest.fixture
def api(provider: Provider) -> Iterator[Api]:
    with Api(provider.url, KEY, 0.5) as api:
        yield api


@pytest.mark.parametrize("fault", [*AFTER, *BEFORE])
def test_what_only_asks_is_asked_again_after_any_trouble(api: Api, provider: Provider, fault: str) -> None:
    provider.faults = {"POST /chat/completions": [fault], "GET /files": [fault]}
    assert api.ask("/chat/completions", ASK)["choices"][0]["message"]["content"] == "HI"
    assert len(api.get("/files")["data"]) == 1


@pytest.mark.parametrize("fault", [*AFTER, "500"])
def test_nobody_can_tell_what_became_of_an_act_that_broke(api: Api, provider: Provider, fault: str) -> None:
    provider.faults["POST /train"] = [fault]
    with pytest.raises(Unknown, match="may have acted"):
        api.act("/train", "k", json=TRAIN)
    assert len(provider.effects) == (fault != "500")


def test_an_act_that_was_put_off_is_tried_again(api: Api, provider: Provider) -> None:
    provider.faults["POST /train"] = ["429", "429"]
    assert api.act("/train", "k", json=TRAIN) == {"job_id": "train-0"}
    assert provider.effects == [("train", "k")]


def test_without_a_connection_nothing_has_happened() -> None:
    with Api(NOBODY, None, 0.5) as api, pytest.raises(Unreachable, match="nothing is lost"):
        api.act("/train", "k", json=TRAIN)


def test_a_provider_that_never_answers_well_is_unreachable(api: Api, provider: Provider) -> None:
    provider.faults["GET /files"] = ["500"] * ATTEMPTS
    with pytest.raises(Unreachable, match="no usable answer"):
        api.get("/files")
    assert provider.requests == ["GET /files"] * ATTEMPTS


def test_what_is_not_there_is_told_from_what_is_refused(api: Api) -> None:
    with pytest.raises(NotThere, match="404"):
        api.get("/nothing")


def test_a_refused_key_is_not_shown(provider: Provider) -> None:
    with Api(provider.url, "sk-wrong", 0.5) as api, pytest.raises(ActionFailed) as refused:
        api.get("/files")
    assert "check the API key" in str(refused.value)
    assert "sk-wrong" not in str(refused.value)


def test_the_provider_says_how_long_to_wait_within_reason() -> None:
    assert backoff(_Again("429", 7.0)) == 7.0
    assert backoff(_Again("429", 86_400.0)) == LONGEST_WAIT_SECONDS
    assert backoff(_Again("ReadTimeout")) is True
    assert backoff(ValueError()) is False
