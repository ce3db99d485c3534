"""How questions and answers are read, whatever stands in them."""

import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers import MemoryPublisher
from drift_aware.producers.integrations import anthropic, openai
from drift_aware.producers.integrations.answers import Answer, Dialect
from drift_aware.producers.integrations.calls import ChatCall, Watching
from drift_aware.producers.integrations.contents import question, words
from rig import models
from rig.models import Saying

DIALECTS: dict[str, Dialect] = {
    "completions": openai.DIALECTS["/chat/completions"],
    "responses": openai.DIALECTS["/responses"],
    "messages": anthropic.DIALECTS["/v1/messages"],
}
SAYINGS = st.builds(
    Saying,
    words=st.lists(st.text(min_size=1), min_size=1, max_size=5).map(tuple),
    refuses=st.booleans(),
    calls_tool=st.booleans(),
)
# The words of the APIs at any place, with anything behind them.
_OUTER = ["type", "role", "content", "choices", "message", "messages", "delta", "index", "output", "input"]
_INNER = ["text", "refusal", "finish_reason", "stop_reason", "status", "model", "error", "code", "usage"]
_USAGE = ["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "response"]
NAMES = st.sampled_from([*_OUTER, *_INNER, *_USAGE])
KINDS = st.sampled_from(["message", "text", "output_text", "message_start", "message_delta", "user", "error"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | KINDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
everywhere = pytest.mark.parametrize("name", DIALECTS)


def objects(found: Any) -> Any:
    """The same as objects with attributes, as the libraries have them."""
    return json.loads(json.dumps(found), object_hook=lambda fields: SimpleNamespace(**fields))


@everywhere
@given(saying=SAYINGS)
def test_an_answer_in_chunks_is_the_answer_at_once(name: str, saying: Saying) -> None:
    dialect = DIALECTS[name]
    assembly = dialect.assembly()
    for chunk in models.STREAMS[name](saying):
        if chunk != "[DONE]":
            assembly.add(objects(chunk))
    whole = dialect.answer(objects(models.ANSWERS[name](saying)))
    assert assembly.answer() == whole
    assert whole.text == (None if saying.calls_tool else saying.text)


@everywhere
@given(body=st.dictionaries(NAMES, ANYTHING), response=ANYTHING, chunks=st.lists(ANYTHING))
def test_whatever_stands_there_makes_an_event_or_nothing(
    name: str, body: dict[str, Any], response: Any, chunks: list[Any]
) -> None:
    dialect, publisher = DIALECTS[name], MemoryPublisher()
    assembly = dialect.assembly()
    for chunk in chunks:
        assembly.add(chunk)
    for answer in (assembly.answer(), dialect.answer(response)):
        assert msgspec.convert(msgspec.structs.asdict(answer), Answer) == answer
        ChatCall(Watching(publisher), dialect, body).ended(answer)
    assert len(publisher.events) == 2


@given(ANYTHING)
def test_any_content_is_a_text_or_none(content: Any) -> None:
    assert isinstance(words(content), str | None)
    assert isinstance(question(content), str | None)


@given(st.lists(st.text()))
def test_the_last_message_of_the_user_is_the_question(texts: list[str]) -> None:
    messages = [{"role": "user", "content": said} for said in texts]
    others = [{"role": "system", "content": "Be brief."}, {"role": "assistant", "content": "Yes."}]
    assert question([*messages, *others]) == (texts[-1] if texts else None)
    assert question(objects([*others, *messages, *others])) == (texts[-1] if texts else None)


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ({"type": "image_url", "image_url": {}}, "[image]"),
        ({"type": "input_image"}, "[image]"),
        ({"type": "image", "source": {}}, "[image]"),
        ({"type": "input_audio"}, "[audio]"),
        ({"type": "file"}, "[file]"),
        ({"type": "document"}, "[document]"),
        ({"type": "text", "text": "Hello"}, "Hello"),
        ("Hello", "Hello"),
        ({"type": "tool_result", "content": "42"}, None),
        ({"text": "of no type"}, None),
        (7, None),
    ],
)
def test_a_part_is_its_text_or_its_name(part: Any, shown: str | None) -> None:
    assert words([part]) == shown


def test_what_a_tool_has_answered_is_not_what_the_user_asked() -> None:
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "42"}]}
    asked = {"role": "user", "content": "Where is my parcel?"}
    assert question([asked, {"role": "assistant", "content": []}, result]) == "Where is my parcel?"
