"""LiteLLM itself calls a model on this machine, and our logger is told."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers.integrations import payloads
from rig.configuration import environment
from rig.gateway import KEY, LOCAL, Gateway
from rig.listener import Reply
from rig.models import SNAPSHOT, TOKENS, VECTOR, Saying
from rig.pages import blocks, pages

WAYS = ["at once", "streamed", "asynchronous", "asynchronous and streamed"]
QUESTION, ANSWER = "Where is my parcel?", "It left this morning."
VECTORS = "openai/text-embedding-3-small"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("litellm")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.models.saying = Saying()
    running.models.next.clear()
    return running


@pytest.mark.parametrize("way", WAYS)
def test_a_chat_is_published(gateway: Gateway, way: str) -> None:
    told = gateway.only(way)
    assert (told["user_query"], told["model_response"]) == (QUESTION, ANSWER)
    assert (told["model"], told["app"], told["finish_reason"]) == ("gpt-4o", "shop", "stop")
    assert (told["input_tokens"], told["output_tokens"]) == TOKENS
    assert told["cost_usd"] > 0
    assert told["latency_ms"] > 0
    assert not told.keys() & {"error", "refusal", "tenant", "session_id"}


def test_the_id_is_that_of_the_response(gateway: Gateway) -> None:
    told = gateway.ask()
    assert told["id"] == told["events"][0]["id"]


def test_a_completion_of_a_text_is_an_interaction_too(gateway: Gateway) -> None:
    told = gateway.only("text", model="text-completion-openai/gpt-4o", prompt=QUESTION)
    assert (told["user_query"], told["model_response"]) == (QUESTION, ANSWER)


def test_so_is_an_answer_of_the_responses_api() -> None:
    part = {"type": "output_text", "text": ANSWER}
    response = {"status": "completed", "output": [{"type": "message", "content": [part]}]}
    call = {"id": "r1", "call_type": "aresponses", "startTime": 1.0, "endTime": 2.0}
    told = payloads.interaction({}, call | {"messages": QUESTION, "response": response})
    assert told is not None
    assert (told["user_query"], told["model_response"], told["finish_reason"]) == (
        QUESTION,
        ANSWER,
        "completed",
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_failed_chat_is_published_without_what_the_error_says(gateway: Gateway, way: str) -> None:
    gateway.models.next = [Reply(400, b'{"error": {"message": "bad key %s"}}' % KEY.encode())]
    told = gateway.ask(way)
    assert told["raised"] == "BadRequestError"
    [event] = told["events"]
    assert (event["error"], event["user_query"]) == ("BadRequestError", QUESTION)
    assert not event.keys() & {"model_response", "input_tokens", "cost_usd"}
    assert KEY not in str(event)


@pytest.mark.parametrize(
    "options",
    [{"litellm_session_id": "s-1842"}, {"metadata": {"session_id": "s-1842"}}],
    ids=["of LiteLLM", "in the metadata"],
)
def test_the_session_is_published(gateway: Gateway, options: dict[str, Any]) -> None:
    assert gateway.only(**options)["session_id"] == "s-1842"


# Of streamed answers LiteLLM itself loses it.
@pytest.mark.parametrize("way", ["at once", "asynchronous"])
def test_a_refusal_that_the_api_names_is_one(gateway: Gateway, way: str) -> None:
    gateway.models.saying = Saying(("I cannot ", "help."), refuses=True)
    told = gateway.only(way)
    assert (told["refusal"], told["model_response"]) == (True, "I cannot help.")


def test_an_answer_that_only_calls_tools_has_no_text(gateway: Gateway) -> None:
    gateway.models.saying = Saying(calls_tool=True)
    told = gateway.only()
    assert told["finish_reason"] == "tool_calls"
    assert "model_response" not in told


def test_of_an_image_stands_its_name(gateway: Gateway) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    assert (
        gateway.only(messages=[{"role": "user", "content": parts}])["user_query"] == "What is this?\n[image]"
    )


def test_which_model_has_answered_is_a_label(gateway: Gateway) -> None:
    assert gateway.only()["labels"]["response_model"] == SNAPSHOT


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "options",
    [
        {"litellm": {"turn_off_message_logging": True}},
        {"logger": {"turn_off_message_logging": True}},
        {"litellm": {"standard_logging_payload_excluded_fields": ["messages", "response"]}},
    ],
    ids=["everywhere", "for this callback", "by leaving fields out"],
)
def test_what_litellm_is_told_to_withhold_is_published_without_texts(
    gateway: Gateway, way: str, options: dict[str, Any]
) -> None:
    told = gateway.only(way, **options)
    assert not told.keys() & {"user_query", "model_response"}
    assert told["input_tokens"] == TOKENS[0]


@pytest.mark.parametrize("way", ["embedding", "asynchronous embedding"])
def test_every_vector_of_a_call_is_published(gateway: Gateway, way: str) -> None:
    told = gateway.ask(way, model=VECTORS, input=[QUESTION, "When do you open?"], expected=2)
    first, second = told["events"]
    assert (first["model"], first["app"], first["dim"]) == ("text-embedding-3-small", "shop", len(VECTOR))
    assert first["id"] != second["id"]


def test_what_embeddings_are_of_can_be_said(gateway: Gateway) -> None:
    told = gateway.only("embedding", model=VECTORS, input=QUESTION, logger={"embedding_kind": "document"})
    assert told["kind"] == "document"


def test_a_failed_call_for_embeddings_is_nothing(gateway: Gateway) -> None:
    gateway.models.next = [Reply(400, b"{}")]
    assert gateway.ask("embedding", model=VECTORS, input=QUESTION, expected=0)["raised"] == "BadRequestError"
    assert "error" not in gateway.only()


@pytest.mark.parametrize("way", WAYS)
def test_a_publisher_that_raises_costs_nothing(gateway: Gateway, way: str) -> None:
    told = gateway.ask(way, sabotage=True)
    assert (told["raised"], told["seen"]) == (None, 1)


def test_keys_and_teams_of_the_proxy_are_application_and_tenant() -> None:
    metadata = {"user_api_key_alias": "shop", "user_api_key_team_alias": "acme", "user_api_key_team_id": "t1"}
    payload = {"startTime": 1.5, "model": "gpt-4o", "metadata": metadata}
    assert payloads.segment({}, payload) == {"ts": 1500, "app": "shop", "model": "gpt-4o", "session_id": None}
    assert payloads.team(payload) == "acme"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda values: st.lists(values, max_size=3),
    max_leaves=4,
)
NAMES = [
    "choices",
    "message",
    "content",
    "text",
    "output",
    "metadata",
    "data",
    "embedding",
    "error_information",
]
odd = st.recursive(
    anything,
    lambda values: st.lists(values, max_size=2) | st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
)


@given(messages=odd, response=odd, metadata=odd, params=odd, status=st.sampled_from(["success", "failure"]))
def test_an_odd_payload_costs_what_is_odd_in_it(
    messages: Any, response: Any, metadata: Any, params: Any, status: str
) -> None:
    payload = {
        "id": "c1",
        "call_type": "completion",
        "startTime": 1.0,
        "endTime": 2.0,
        "messages": messages,
        "response": response,
        "metadata": metadata,
        "status": status,
    }
    told = payloads.interaction({"litellm_params": params}, payload)
    assert told is not None
    assert (told["id"], told["latency_ms"]) == ("c1", 1000)
    assert payloads.segment({"litellm_params": params}, payload)["ts"] == 1000


def test_a_group_is_what_the_application_calls_the_model() -> None:
    call = {"id": "c1", "call_type": "acompletion", "startTime": 1.0, "endTime": 2.0, "trace_id": "t1"}
    deployed = call | {"model": "azure/gpt-4o", "model_group": "chat", "response": {"model": "chat"}}
    told = payloads.interaction({}, deployed)
    assert told is not None
    assert (told["model"], told["labels"]) == ("chat", {"trace_id": "t1", "response_model": "azure/gpt-4o"})
    assert payloads.segment({}, deployed)["model"] == "azure/gpt-4o"  # of its vectors


def test_every_attempt_at_a_request_is_an_interaction_of_its_own(gateway: Gateway) -> None:
    gateway.models.next = [Reply(400, b"{}")]
    failed, good = gateway.ask("by a router", expected=2)["events"]
    assert (failed["model"], failed["error"]) == ("chat", "BadRequestError")
    assert (good["model"], good["model_response"]) == ("spare", ANSWER)
    assert good["labels"]["response_model"] == "openai/gpt-4o-mini"
    assert good["labels"]["trace_id"] == failed["labels"]["trace_id"]


def test_a_response_without_an_id_has_that_of_the_call() -> None:
    call = {"id": "", "litellm_call_id": "c1", "call_type": "completion", "startTime": 1.0, "endTime": 2.0}
    told = payloads.interaction({}, call)
    assert told is not None
    assert told["id"] == "c1"


def test_a_failure_that_is_told_twice_is_published_once(gateway: Gateway) -> None:
    gateway.models.next = [Reply(400, b"{}")]
    assert len(gateway.ask(twice=True)["events"]) == 1


# As the proxy does with a callback that its configuration names, here that of the documentation.
PROXY = """
import sys
from litellm.proxy.types_utils.utils import get_instance_fn
[name] = sys.argv[1:]
found = get_instance_fn(name, config_file_path="/etc/litellm/config.yaml")
assert get_instance_fn(name) is found
print(type(found).__name__, type(found._publisher).__name__, found._publisher._client["bootstrap.servers"])
"""


def _proxy(**variables: str) -> "subprocess.CompletedProcess[str]":
    page = pages()["docs/integrations/litellm.md"].read_text()
    settings = yaml.safe_load(next(block.text for block in blocks(page) if block.language == "yaml"))
    return subprocess.run(
        [sys.executable, "-c", PROXY, settings["litellm_settings"]["callbacks"]],
        env=environment("127.0.0.1:1") | LOCAL | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_proxy_finds_a_logger_made_of_the_environment() -> None:
    ran = _proxy()
    assert ran.stdout.split() == ["DriftAwareLogger", "Publisher", "127.0.0.1:1"], ran.stderr


def test_an_environment_that_is_wrong_is_told_of_at_once() -> None:
    ran = _proxy(DRIFT_AWARE_KAFKA__SECURITY_PROTOCOL="carrier pigeon")
    assert ran.returncode == 1
    assert "SettingsError: setting kafka.security_protocol" in ran.stderr
