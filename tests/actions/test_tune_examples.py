"""Which answers are trained on, without a database."""

from typing import Any

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.actions.tune.examples import Sieve, in_validation, line_of, normalised, wrong_with
from drift_aware.actions.tune.tokens import counter, guess
from drift_aware.schema.redaction import Redaction
from drift_aware.schema.tune_settings import Tune

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: bool(text.strip()))


def row(question: str, answer: str, **fields: Any) -> dict[str, Any]:
    return {"user_query": question, "model_response": answer, "refusal": None} | fields


@given(TEXT, TEXT, st.none() | TEXT)
def test_every_line_that_is_made_is_valid(question: str, answer: str, system_prompt: str | None) -> None:
    assert wrong_with(line_of(question, answer, system_prompt)) is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"messages": []}',
        b'{"messages": [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]}',
        b'{"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": "b"}]}',
        b'{"messages": [{"role": "user", "content": " "}, {"role": "assistant", "content": "b"}]}',
        b'{"messages": [{"role": "tool", "content": "a"}, {"role": "assistant", "content": "b"}]}',
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "x": 1}',
        b'{"messages": [{"role": "user", "content": "\xff"}, {"role": "assistant", "content": "b"}]}',
    ],
)
def test_a_line_that_is_not_valid_is_seen(line: bytes) -> None:
    assert wrong_with(line)


def test_what_is_equal_or_nearly_so_is_trained_on_once() -> None:
    sieve = Sieve(Tune())
    assert sieve.take(row(" Where is it? ", "Here.")) == ("Where is it?", "Here.")
    assert sieve.take(row("Where is it?", "Here.")) == "duplicate"
    assert sieve.take(row("where  is IT", "here!")) == "near_duplicate"
    assert sieve.take(row("where  is IT", "there!")) == ("where  is IT", "there!")
    # What has no letters is its own.
    assert [sieve.take(row("?", each)) for each in ("👍", "👎")] == [("?", "👍"), ("?", "👎")]


def test_refusals_and_lengths_are_filtered_as_the_settings_say() -> None:
    short = Sieve(Tune(least_characters=4, most_characters=6))
    assert [short.take(row("a", "b" * n)) for n in (2, 3, 5, 6)] == [
        "length",
        ("a", "bbb"),
        ("a", "bbbbb"),
        "length",
    ]
    assert Sieve(Tune()).take(row("a", "  ")) == "length"
    assert Sieve(Tune()).take(row("a", "no", refusal=True)) == "refusal"
    assert Sieve(Tune(refusals=True)).take(row("a", "no", refusal=True)) == ("a", "no")


def test_what_cannot_be_redacted_is_left_out() -> None:
    def broken(_: str) -> Any:
        raise ValueError

    assert Sieve(Tune(), Redaction()).take(row("i am jo@example.org", "hi")) == ("i am [email]", "hi")
    assert Sieve(Tune(), Redaction(finders=[broken])).take(row("a", "b")) == "redaction"
    assert Sieve(Tune(redact="keep"), Redaction(finders=[broken])).take(row("a", "b")) == ("a", "b")


@given(st.lists(TEXT, max_size=50), st.floats(0, 1))
def test_a_question_is_always_on_the_same_side(questions: list[str], share: float) -> None:
    for question in questions:
        side = in_validation(question, share)
        assert in_validation(normalised(question), share) == side
        assert not in_validation(question, 0)


def test_about_the_share_of_the_questions_validates() -> None:
    count = sum(in_validation(f"question {number}", 0.2) for number in range(5000))
    assert 850 < count < 1150


def test_exact_tokens_are_the_models_own(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = tiktoken.Encoding(
        "bytes", pat_str=r"[\s\S]", mergeable_ranks={bytes([n]): n for n in range(256)}, special_tokens={}
    )
    monkeypatch.setattr(tiktoken, "encoding_for_model", {"known": letters}.__getitem__)
    assert (counter("known", exact=True).count("hällo"), counter("known", exact=True).exact) == (6, True)
    assert counter("unknown", exact=True).count is guess
    assert counter("known", exact=False).count is guess
