"""Past events through the same code: the same alerts every time, and lines that cannot be used are named."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift_aware.schema.errors import SettingsError
from drift_aware.streams.labels import label
from drift_aware.streams.replay import Raised, Unused, in_order, read, replay
from rig.commands import Command
from rig.configuration import make_settings
from rig_events import NOON

StartCommand = Callable[..., Command]
CHANGE_AT = 3000
SETTINGS = make_settings(
    pane_seconds=10, allowed_lateness_seconds=10, window_seconds=60, baseline={"events": 1000}
)


@cache
def story(seed: int = 3) -> list[bytes]:
    """Four thousand questions and their embeddings, two a second; refusals and topics change near the end."""
    random, lines = Random(seed), []
    for number in range(4000):
        after, ts = number >= CHANGE_AT, NOON + number * 500
        asked = {"type": "interaction", "id": f"i{number}", "ts": ts, "app": "shop", "toxicity": 0.01}
        refusal = random.random() < (0.3 if after else 0.03)
        lines.append(
            asked | {"refusal": refusal, "user_query": "where is my order" if after else "hello there"}
        )
        vector = [random.gauss(-1.0 if after else 1.0, 0.3), *(random.gauss(0, 0.3) for _ in range(3))]
        told = {
            "type": "embedding",
            "id": f"e{number}",
            "ts": ts,
            "app": "shop",
            "interaction_id": f"i{number}",
        }
        lines.append(told | {"model": "m", "vector": [round(x, 4) for x in vector]})
    return [json.dumps(line).encode() + b"\n" for line in lines]


def raised(lines: list[bytes]) -> tuple[list[Raised], Unused]:
    unused = Unused(lambda number, why: None)
    return list(replay(SETTINGS, read(lines, unused), label, unused)), unused


@cache
def clean() -> list[Raised]:
    return raised(story())[0]


def test_it_finds_what_changed_at_the_line_where_it_shows() -> None:
    pages = [each for each in clean() if each.alert.paging and each.alert.revision == 1]
    assert {each.alert.metric for each in pages} == {"refusal_rate", "query_embedding"}
    assert all(2 * CHANGE_AT < each.seq < 2 * CHANGE_AT + 800 for each in pages)
    change = NOON + CHANGE_AT * 500
    assert all(change - 10_000 <= each.alert.onset <= change + 10_000 for each in pages)


def test_an_alert_knows_its_words_and_who_shows_it() -> None:
    refused = next(each.alert for each in clean() if each.alert.metric == "refusal_rate")
    rows = {line["id"]: line for line in map(json.loads, story())}
    assert refused.examples
    assert all(rows[name]["refusal"] for name in refused.examples)
    last = [
        each.alert for each in clean() if each.alert.metric == "refusal_rate" and each.alert.segment == "all"
    ]
    assert any("order" in alert.words for alert in last)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_a_little_disorder_changes_nothing(seed: int) -> None:
    random = Random(seed)
    shaken = sorted(enumerate(story()), key=lambda each: each[0] + random.uniform(0, 12))
    found, unused = raised([line for _, line in shaken])
    assert (unused.bad, unused.late) == (0, 0)
    assert [each.alert for each in found] == [each.alert for each in clean()]


def test_what_comes_after_its_pane_has_closed_is_counted_as_late() -> None:
    found, unused = raised([*story(), *story()[:7]])
    assert unused.late == 7
    assert [each.alert for each in found] == [each.alert for each in clean()]


def test_several_files_are_put_in_order_by_time() -> None:
    unused = Unused(lambda number, why: None)
    files = [read(story()[kind::2], unused) for kind in (0, 1)]
    found = list(replay(SETTINGS, in_order(files), label, unused))
    assert [each.alert for each in found] == [each.alert for each in clean()]


BAD = [
    b"not json",
    b'{"type": "interaction"}',
    b'{"type": "weather", "ts": 5}',
    b'{"type": "interaction", "ts": "yesterday"}',
    b'["a", "list"]',
    b'{"type": "interaction", "ts": 1772366400000}',
    b'{"type": "embedding", "id": "e", "ts": 1772366400000, "vector": [0, 0]}',
    b'{"type": "embedding", "id": "e", "ts": 1772366400000, "vector": "AADAfw=="}',
    b'{"type": "evaluation", "eval_set": 7, "run_id": "r", "ts": 1772366400000}',
    b"\xff\xfe",
]


def test_every_line_that_cannot_be_used_is_named_and_the_rest_counts() -> None:
    told: list[tuple[int, str]] = []
    unused = Unused(lambda number, why: told.append((number, why)))
    lines = [line for bad, good in zip(BAD, story(), strict=False) for line in (bad + b"\n", b"\n", good)]
    lines += story()[len(BAD) :]
    found = list(replay(SETTINGS, read(lines, unused), label, unused))
    assert sorted(number for number, _ in told) == [1 + 3 * place for place in range(len(BAD))]
    assert all(why for _, why in told)
    assert unused.bad == len(BAD)
    assert [each.alert for each in found] == [each.alert for each in clean()]


def test_nothing_gives_nothing() -> None:
    found, unused = raised([])
    assert (found, unused.bad, unused.late) == ([], 0, 0)


def test_a_pinned_baseline_is_taken_from_its_range() -> None:
    moments = {"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T12:10:00Z"}
    pinned = make_settings(
        pane_seconds=10, allowed_lateness_seconds=10, baseline={"policy": "pinned", **moments}
    )
    unused = Unused(lambda number, why: None)
    found = list(replay(pinned, read(story(), unused), label, unused))
    pages = [each for each in found if each.alert.paging and each.alert.revision == 1]
    assert {each.alert.metric for each in pages} == {"refusal_rate", "query_embedding"}
    assert all(each.seq > 2 * CHANGE_AT for each in pages)


def test_a_rolling_baseline_has_no_meaning_for_a_file() -> None:
    unused = Unused(lambda number, why: None)
    with pytest.raises(SettingsError, match="not rolling"):
        list(replay(make_settings(baseline={"policy": "rolling"}), iter([]), label, unused))


def test_the_command_prints_the_same_bytes_twice_and_for_any_number_of_partitions(
    start_command: StartCommand, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(story()))
    times = {
        "pane_seconds": 10,
        "allowed_lateness_seconds": 10,
        "window_seconds": 60,
        "baseline__events": 1000,
    }
    outputs = []
    for partitions in (1, 4, 4, 16):
        done = start_command("replay", str(file), "--json", **times, kafka__partitions=partitions)
        assert done.wait() == 0
        outputs.append(done.stdout)
    assert len(set(outputs)) == 1
    shown = [msgspec.json.decode(line) for line in outputs[0].splitlines()]
    assert [line["seq"] for line in shown] == [each.seq for each in clean()]
    assert [line["id"] for line in shown] == [each.alert.id for each in clean()]


def test_the_command_says_which_lines_are_bad_and_fails(start_command: StartCommand, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join([*[b"not json"] * 12, story()[0]]))
    done = start_command("replay", str(file))
    assert done.wait() == 1
    assert "line 1: not an event" in done.stderr
    assert "line 11" not in done.stderr
    assert "12 lines cannot be used" in done.stderr
    missing = start_command("replay", str(tmp_path / "none.jsonl"))
    assert missing.wait() == 2
    assert "cannot read" in missing.stderr
