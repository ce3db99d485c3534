"""``drift-aware label``: a file in, labels out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from drift_aware.streams.label_verb import label
from rig.commands import Command

GOOD: list[dict[str, object]] = [
    {"id": "a", "ts": 1, "model_response": "I can't help with that."},
    {"text": "It is raining."},
    {"completion": "Oui, avec plaisir."},
    {"id": 7, "ts": 1, "error": "timeout"},
    {"text": "It is raining.", "refusal": True, "toxicity": 0.25},
]


def run(text: str | bytes, *options: str) -> Result:
    app = typer.Typer()
    app.command()(label)
    return CliRunner().invoke(app, ["-", *options], input=text)


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_every_kind_of_line_is_labelled() -> None:
    result = run(lines(GOOD), "--json")
    assert result.exit_code == 0
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["line"] for each in said] == [1, 2, 3, 4, 5]
    assert [each["refusal"] for each in said] == [True, False, False, None, True]
    assert [each.get("id") for each in said] == ["a", None, None, 7, None]
    assert said[3]["toxicity"] is None
    assert said[4]["toxicity"] == 0.25
    assert all(0 <= said[row]["toxicity"] <= 1 for row in (0, 1, 2))


def test_people_are_shown_what_was_judged() -> None:
    result = run(lines(GOOD[:2] + GOOD[3:4]))
    refusing, helping, failed = result.stdout.splitlines()
    assert refusing.split()[:2] == ["1", "refuses"]
    assert refusing.endswith("I can't help with that.")
    assert helping.split()[:2] == ["2", "answers"]
    assert failed.split() == ["3", "no", "answer"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "JSON is malformed"),
        (b"[1]", "Expected `object`"),
        (b'{"text": 5}', "$.text"),
        (b'{"text": "\xff"}', "line 2"),
        (b'{"text": "fine", "toxicity": 2}', "$.toxicity"),
        (b'{"prompt": "hello"}', "put one in model_response, text or completion"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_labelled(line: bytes, reason: str) -> None:
    result = run(b'{"text": "one"}\n' + line + b'\n\n{"text": "four"}\n', "--json")
    assert result.exit_code == 1
    assert [json.loads(each)["line"] for each in result.stdout.splitlines()] == [1, 4]
    assert result.stderr.startswith("drift-aware: line 2: ")
    assert reason in result.stderr


def test_a_long_file_keeps_its_order() -> None:
    count = 1000
    result = run(lines([{"id": row, "text": f"answer {row}"} for row in range(count)]), "--json")
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == list(range(count))


def test_an_empty_file_says_nothing() -> None:
    result = run("")
    assert (result.exit_code, result.stdout) == (0, "")


def test_the_installed_command_reads_a_file(start_command: Callable[..., Command], tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text(lines(GOOD))
    command = start_command("label", str(file), "--json", bootstrap="127.0.0.1:9")
    assert command.wait() == 0
    assert len(command.stdout.splitlines()) == len(GOOD)
    missing = start_command("label", str(tmp_path / "none.jsonl"), bootstrap="127.0.0.1:9")
    assert missing.wait() == 2
    assert "none.jsonl" in missing.stderr
