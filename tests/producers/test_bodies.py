"""Questions and answers are read from any body, or from none of it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers.integrations.bodies import Chat, answer_text, events, question_text, read

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(max_size=3), values),
    max_leaves=10,
)
TYPES = [
    "text/event-stream",
    "application/json",
    "application/x-ndjson; charset=utf-8",
    "text/plain",
    "image/png",
    "",
]
lines = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@given(st.lists(lines, min_size=1), st.sampled_from(["\n", "\r\n", "\r"]))
def test_the_data_of_an_event_stream_comes_out_as_it_went_in(data: list[str], end: str) -> None:
    stream = "".join(f"data: {text}{end}{end}" for text in data)
    assert list(events(stream)) == data


@given(st.lists(lines.filter(bool), min_size=1), st.sampled_from(TYPES[:1] + TYPES[2:3]))
def test_pieces_are_put_together_in_their_order(pieces: list[str], content_type: str) -> None:
    written = [json.dumps({"choices": [{"delta": {"content": piece}}]}) for piece in pieces]
    marked = content_type == "text/event-stream"
    body = "".join(f"data: {line}\n\n" if marked else f"{line}\n" for line in written)
    chat = Chat(piece="choices.0.delta.content")
    assert answer_text(chat, body.encode(), content_type) == "".join(pieces)


@given(st.lists(lines, min_size=1), st.integers(0, 200))
def test_a_stream_that_is_cut_gives_what_has_come(pieces: list[str], cut: int) -> None:
    body = "".join(f"data: {json.dumps({'delta': piece})}\n\n" for piece in pieces).encode()
    found = answer_text(Chat(piece="delta"), body[:cut], "text/event-stream") or ""
    assert "".join(pieces).startswith(found)


@given(st.binary() | anything.map(lambda value: json.dumps(value).encode()), st.sampled_from(TYPES))
def test_no_body_is_too_odd(body: bytes, content_type: str) -> None:
    chat = Chat(question="a.0.b", answer="messages.-1.content", piece="a.b")
    for said in (question_text(chat, body), answer_text(chat, body, content_type)):
        assert said is None or (isinstance(said, str) and said)


@given(anything, st.text(max_size=8))
def test_a_path_finds_a_text_or_nothing(value: object, path: str) -> None:
    found = read(path, value)
    assert found is None or isinstance(found, str)
