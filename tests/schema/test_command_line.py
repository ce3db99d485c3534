"""The command line as a person meets it: real processes, exit codes, streams."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from drift_aware.schema import topics
from rig.brokers import Broker
from rig.commands import Command

Start = Callable[..., Command]


def test_a_word_that_is_no_verb_is_misuse(start_command: Start) -> None:
    command = start_command("frobnicate")
    assert command.wait() == 2
    assert "frobnicate" in command.stderr
    assert "Traceback" not in command.stderr


def test_without_an_address_the_command_says_what_to_set_and_exits_as_misuse(start_command: Start) -> None:
    command = start_command("topics", "list")
    assert command.wait() == 2
    assert command.stderr == (
        "drift-aware: no Kafka address; set KAFKA_BOOTSTRAP_SERVERS, for instance localhost:9092\n"
    )
    assert command.stdout == ""


def test_a_wrong_file_is_misuse_in_one_line(start_command: Start, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("pane_second: 1")
    command = start_command("topics", "list", "--config", str(tmp_path / "s.yaml"))
    assert command.wait() == 2
    assert command.stderr == "drift-aware: unknown setting pane_second; did you mean pane_seconds?\n"


def test_topics_are_created_and_listed(start_command: Start, broker: Broker) -> None:
    created = start_command("topics", "create", bootstrap=broker.bootstrap)
    assert created.wait() == 0, created.shown()
    assert created.stdout == f"all {len(topics.TOPICS)} topics exist\n"
    listed = start_command("topics", "list", "--json", bootstrap=broker.bootstrap)
    assert listed.wait() == 0, listed.shown()
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {row["name"]: row["partitions"] for row in rows} == {
        topic.name: broker.partitions for topic in topics.TOPICS
    }


_THREADS = """
import sys
from drift_aware.schema import cli
sys.argv = ["drift-aware", "--help"]
try:
    cli.main()
except SystemExit:
    pass
import numpy, threadpoolctl
print(max(each["num_threads"] for each in threadpoolctl.threadpool_info()))
"""


def test_numpy_has_one_thread_unless_somebody_wants_more() -> None:
    found = []
    for wanted in ({}, {"OMP_NUM_THREADS": "2"}):
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        done = subprocess.run(
            [sys.executable, "-c", _THREADS],
            env=environment | wanted,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(done.stdout.split()[-1])
    assert found == ["1", str(min(2, os.cpu_count() or 1))]
