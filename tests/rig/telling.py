"""A page of the documentation, told to a machine: what a reader would do with each of its blocks."""

import json
import re
import signal
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg

from drift_aware.actions.installed import installed
from drift_aware.schema.settings import load
from rig.pages import CONSOLE, Block, calls
from rig.services import wait_until
from rig.shell import Ran, Shell

# Verbs that run until they are stopped.
LASTING = (
    ["worker"],
    ["ingest", "otlp"],
    ["baseline", "watch"],
    ["persist"],
    ["act"],
    ["serve"],
    ["alerts", "--follow"],
    ["canary"],
)
# But not if they are told to do it once, to show what they would do, or are the name of a group here.
_ENDING = ("--once", "--dry-run", "accept")
# Of answers that do not end.
_STREAM = "curl -N "
_PATIENCE_SECONDS = 60.0
# What serves an application of the reader's.
_SERVER = "uvicorn "


class Story:
    """A page that is being told.

    Args:
        shell: where its commands run.
        folder: the same folder.
        database_url: a migrated database.
        places: what stands in the page to what there is here.
        prelude: what its Python takes for granted.
    """

    def __init__(
        self, shell: Shell, folder: Path, database_url: str, places: Mapping[str, str], prelude: str
    ) -> None:
        self._shell = shell
        self._folder = folder
        self._database_url = database_url
        self._places = places
        self._prelude = prelude
        self._latest = ""
        self._last = Ran("", 0, "", "")
        self.uses: dict[str, Callable[[Block], None]] = {
            **dict.fromkeys(CONSOLE, self._console),
            "output": self._output,
            "python": self._python,
            "yaml": self._yaml,
            "sql": self._sql,
            "toml": self._toml,
            "text": lambda block: None,
            "json": self._json,
        }

    def tell(self, block: Block) -> None:
        """Do with a block what a reader would."""
        if (name := block.said("file")) is not None:
            file = self._folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._here(block.text))
            if block.language == "python":
                return  # a command of the page runs it
        if block.language not in self.uses:
            raise AssertionError(f"no use for {block.language!r}; write {', '.join(self.uses)} or not-run")
        self.uses[block.language](block)

    def end(self) -> None:
        """Stop what was started; all of it was still running, and ends well."""
        assert self._shell.ended() == []
        for ran in self._shell.stop(heeds=calls):
            # What is not ours ends by the signal itself.
            well = 0 if calls(ran.command) else -signal.SIGTERM
            assert ran.exit_code in (0, well), str(ran)

    def _here(self, text: str) -> str:
        for there, here in self._places.items():
            text = text.replace(there, here)
        return text

    def _console(self, block: Block) -> None:
        for command in block.commands():
            self._latest = self._here(command)
            if _lasts(command):
                self._shell.start(self._latest)
            else:
                self._until_well(self._latest)

    def _until_well(self, command: str) -> None:
        """Run it; what asks something that was started a moment ago may have to ask again."""
        if not self._shell.running:
            assert self._ran_well(command), str(self._last)
            return
        wait_until(lambda: self._ran_well(command), _PATIENCE_SECONDS, lambda: str(self._last))

    def _ran_well(self, command: str) -> bool:
        self._last = self._run(command)
        return self._last.exit_code == 0

    def _run(self, command: str) -> Ran:
        ran = self._shell.run(command)
        ended = self._shell.ended()
        assert not ended, "\n".join(map(str, ended))
        return ran

    def _output(self, block: Block) -> None:
        for line in block.text.splitlines():
            pattern = ".*".join(re.escape(part.strip()) for part in line.split("…"))
            if re.search(pattern, self._last.stdout) is None:
                wait_until(
                    lambda pattern=pattern: re.search(pattern, self._again()),  # type: ignore[misc]
                    _PATIENCE_SECONDS,
                    lambda line=line: f"{line!r} in {self._last}",  # type: ignore[misc]
                )

    def _again(self) -> str:
        self._last = self._run(self._latest)
        return self._last.stdout

    def _python(self, block: Block) -> None:
        (self._folder / "snippet.py").write_text(f"{self._prelude}\n{self._here(block.text)}")
        ran = self._run("python -W error snippet.py")
        assert ran.exit_code == 0, str(ran)

    def _yaml(self, block: Block) -> None:
        file = self._folder / (block.said("file") or "settings.yaml")
        file.write_text(self._here(block.text))
        installed(load(file))

    def _toml(self, block: Block) -> None:
        assert tomllib.loads(block.text)

    def _json(self, block: Block) -> None:
        json.loads(block.text)

    def _sql(self, block: Block) -> None:
        with psycopg.connect(self._database_url) as connection:
            connection.execute(self._here(block.text).encode())
            connection.rollback()


def _lasts(command: str) -> bool:
    if command.startswith((_STREAM, _SERVER)):
        return True
    for words in calls(command):
        if any(words[: len(verb)] == verb for verb in LASTING) and not set(_ENDING) & set(words):
            return True
        if words[:1] == ["simulate"] and not {"--events", "--seconds"} & set(words):
            return True
    return False
