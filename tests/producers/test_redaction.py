"""What becomes of the texts of an event before it travels."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.producers import MemoryPublisher, Publisher, Redaction
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.events import Interaction
from drift_aware.schema.redaction import Changes, Span, presidio
from drift_aware.schema.redaction.patterns import FINDERS
from drift_aware.schema.settings import Pattern, Redact, load
from rig.brokers import Broker
from rig.commands import Command
from rig.records import records

MAIL = "jo@example.org"
Start = Callable[..., Command]


def published(redaction: Redaction, **fields: Any) -> Interaction:
    publisher = MemoryPublisher(redact=redaction)
    publisher.interaction(**fields)
    assert publisher.dropped == {}
    return publisher.interactions[0]


def test_every_text_field_of_every_event_is_masked() -> None:
    publisher = MemoryPublisher(redact=Redaction())
    publisher.interaction(user_query=MAIL, model_response=MAIL, error=MAIL, labels={"user": MAIL, "to": "x"})
    publisher.feedback("i", comment=MAIL)
    publisher.evaluation(eval_set="e", run_id="r", expected=MAIL, predicted=MAIL)
    publisher.publish(Interaction(id="a", ts=1_772_366_400_000, user_query=MAIL))
    assert MAIL not in repr(publisher.events)
    assert publisher.interactions[0].labels == {"user": "[email]", "to": "x"}
    assert publisher.stats.redacted == {"email": 8}
    assert publisher.stats.withheld == 0


def test_nothing_unredacted_reaches_the_broker(embedded_broker: Broker) -> None:
    with Publisher(embedded_broker.bootstrap, redact=Redaction(), linger_ms=1) as publisher:
        publisher.interaction(id="i1", user_query=f"write to {MAIL}", session_id="s")
        assert publisher.flush(20) == 0
        assert publisher.stats.redacted == {"email": 1}
    [record] = records(embedded_broker.bootstrap, "drift.interactions.v1")
    assert b"[email]" in record.value
    assert MAIL.encode() not in record.value


def test_each_field_has_its_mode() -> None:
    redaction = Redaction("keep", fields={"user_query": "mask", "model_response": "drop", "labels": "drop"})
    event = published(redaction, user_query=MAIL, model_response="hi", error=MAIL, labels={"a": "b"})
    assert (event.user_query, event.model_response, event.error) == ("[email]", None, MAIL)
    assert event.labels is None


def test_a_hash_keeps_equal_equal_and_depends_on_the_key() -> None:
    one, other = Redaction("hash", hash_key="one"), Redaction("hash", hash_key="other")
    first = published(one, user_query=f"{MAIL} and {MAIL} and b@c.io").user_query
    assert first is not None
    left, middle, right = first.split(" and ")
    assert left == middle != right
    assert left.startswith("[email:")
    assert left != published(other, user_query=MAIL).user_query
    assert left == published(Redaction("hash", hash_key="one"), user_query=MAIL).user_query


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFT_AWARE_REDACT__HASH_KEY", "hunter2")
    expected = Redaction("hash", hash_key="hunter2").text(MAIL, "hash")
    assert Redaction("hash").text(MAIL, "hash") == expected
    monkeypatch.setenv("DRIFT_AWARE_REDACT__MODE", "hash")
    configured = Redaction.configured(load().redact)
    assert configured is not None
    assert configured.text(MAIL, "hash") == expected
    assert "hunter2" not in repr(load())


def test_without_a_key_texts_are_withheld_and_counted_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRIFT_AWARE_REDACT__HASH_KEY", raising=False)
    publisher = MemoryPublisher(redact=Redaction("hash"))
    publisher.interaction(user_query=MAIL, model_response="nothing to hash")
    assert publisher.interactions[0].user_query is None
    assert publisher.interactions[0].model_response == "nothing to hash"
    assert publisher.stats.withheld == 1
    publisher.interaction()
    publisher._tally.report(even_now=True)
    assert "withheld 1 texts: user_query withheld: SettingsError" in caplog.text
    assert MAIL not in caplog.text


def test_a_finder_that_fails_costs_the_texts_and_not_the_event() -> None:
    def broken(text: str) -> Iterable[Span]:
        raise RuntimeError(text)

    publisher = MemoryPublisher(redact=Redaction(finders=[broken]))
    publisher.interaction(user_query=MAIL, model_response="x", error="y", labels={"a": "b"}, latency_ms=3.0)
    [event] = publisher.interactions
    assert (event.user_query, event.model_response, event.labels, event.error) == (None, None, None, True)
    assert event.latency_ms == 3.0
    assert (publisher.stats.delivered, publisher.stats.withheld) == (1, 4)


def test_dropped_errors_are_errors_still() -> None:
    redaction = Redaction("drop")
    assert [published(redaction, error=error).error for error in ("no answer", "", True)] == [
        True,
        False,
        True,
    ]


def test_whether_an_answer_was_right_is_decided_before_both_look_the_same() -> None:
    publisher = MemoryPublisher(redact=Redaction())
    for predicted in (MAIL, "other@example.org"):
        publisher.evaluation(eval_set="e", run_id="r", expected=MAIL, predicted=predicted)
    assert [(each.predicted, each.correct) for each in publisher.evaluations] == [
        ("[email]", True),
        ("[email]", False),
    ]


@pytest.mark.parametrize("cut", range(90, 120))
def test_what_stands_across_the_end_of_a_clipped_text_does_not_leave_by_half(cut: int) -> None:
    publisher = MemoryPublisher(redact=Redaction(), max_text_chars=cut)
    publisher.interaction(user_query="x" * 89 + f" {MAIL} and more of it" + "y" * 100)
    text = publisher.interactions[0].user_query
    assert text is not None
    assert len(text) <= cut
    assert "jo@" not in text
    assert "example" not in text
    assert publisher.stats.clipped == 1


@given(st.text(st.characters(exclude_categories=[]), max_size=60), st.sampled_from([0, 5, None]))
def test_any_text_comes_through_and_what_nobody_finds_is_unchanged(text: str, limit: int | None) -> None:
    said = Redaction(patterns=[]).text(text, "mask", limit=limit)
    assert said == (text if limit is None else text[:limit])
    Redaction("hash", hash_key="k").text(text + f" {MAIL}", "hash", limit=limit)


def test_values_of_another_type_pass_on_to_the_check_of_the_event() -> None:
    values = {"user_query": 5, "error": None, "labels": {"a": 1}, "comment": b"x", "ts": 1}
    Redaction().apply(values, changes := Changes())
    assert values == {"user_query": 5, "error": None, "labels": {"a": 1}, "comment": b"x", "ts": 1}
    assert changes == Changes()


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "hide"}, {"fields": {"query": "mask"}}, {"patterns": ["mail"]}, {"fields": {"error": "x"}}],
)
def test_a_name_that_is_none_is_said_where_the_redaction_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="there are"):
        Redaction(**wrong)


def test_the_settings_name_the_patterns_there_are() -> None:
    assert list(get_args(Pattern)) == list(FINDERS)
    assert Redaction.configured(Redact()) is None


def test_without_presidio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(SettingsError, match=r"drift-aware\[presidio\]"):
        presidio.finder("no_such_model")


def test_the_command_shows_what_would_leave(start_command: Start, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    event = {"id": "a", "ts": 1, "user_query": f"my mail: {MAIL}", "app": MAIL, "labels": {"user": "u1"}}
    file.write_text(f"{json.dumps(event)}\ncall +49 171 1234567\n\nplain\n")
    command = start_command("redact", str(file), bootstrap="127.0.0.1:9")
    assert command.wait() == 0
    first, *others = command.stdout.splitlines()
    assert json.loads(first) == event | {"user_query": "my mail: [email]"}
    assert others == ["call [phone]", "", "plain"]
    assert "4 lines: 1 x email, 1 x phone" in command.stderr


def test_a_mode_that_needs_a_key_says_so_before_anything_starts(start_command: Start, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("x")
    command = start_command("redact", str(tmp_path / "lines"), redact__mode="hash")
    assert command.wait() == 2
    assert "set DRIFT_AWARE_REDACT__HASH_KEY" in command.stderr
