"""``drift-aware db …`` as people run it."""

import json
from collections.abc import Callable

from rig.commands import Command

Start = Callable[..., Command]


def run(start_command: Start, *arguments: str, url: str | None) -> tuple[int, str, str]:
    command = start_command(*arguments, database_url=url)
    code = command.wait(30)
    return code, command.stdout, command.stderr


def test_migrate_and_status_tell_what_is_there(start_command: Start, empty_database_url: str) -> None:
    code, out, _ = run(start_command, "db", "status", "--json", url=empty_database_url)
    assert code == 0
    assert {json.loads(line)["applied_at"] for line in out.splitlines()} == {None}
    code, out, _ = run(start_command, "db", "migrate", url=empty_database_url)
    assert code == 0
    assert "applied 0001 event_logs" in out
    code, out, _ = run(start_command, "db", "migrate", url=empty_database_url)
    assert (code, out) == (0, "the schema is up to date\n")
    code, out, _ = run(start_command, "db", "status", url=empty_database_url)
    assert code == 0
    assert "to be applied" not in out


def test_without_an_address_it_says_which_setting_to_set(start_command: Start) -> None:
    code, out, err = run(start_command, "db", "migrate", url=None)
    assert (code, out) == (2, "")
    assert "set DATABASE_URL" in err
    assert "Traceback" not in err


def test_a_database_that_does_not_answer_is_one_line_and_exit_code_1(start_command: Start) -> None:
    code, _, err = run(start_command, "db", "status", url="postgresql://drift:hush@127.0.0.1:1/drift")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "hush" not in err
