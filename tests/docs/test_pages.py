"""Every page of the documentation is a story that is told from top to bottom, and all of it is true.

Commands run, in a folder that holds nothing but what the page has saved in it; what runs until it is stopped
is started beside the others, and ends with exit code 0 when the page ends. Settings are loaded, statements
executed, programs run. A block called ``output`` is what the command before it prints, sooner or later, with
``…`` for what differs. What cannot run here says why; that its calls of ``drift-aware`` name verbs
and options that exist is seen to all the same.
"""

import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from drift_aware.actions.installed import installed
from drift_aware.schema import cli
from drift_aware.schema.settings import load
from drift_aware.streams.embedded import EmbeddedBroker, every_topic
from rig import configuration, given
from rig.pages import Block, blocks, calls, pages
from rig.services import missing, wait_until
from rig.shell import Ran, Shell
from writers import commands

PAGES = pages()
CONSOLE = ("console", "bash")
# Verbs that run until they are stopped.
LASTING = (["worker"], ["baseline", "watch"], ["persist"], ["act"], ["serve"], ["alerts", "--follow"])
_PATIENCE_SECONDS = 60.0


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
        self.uses: dict[str, Callable[[Block], None]] = {
            **dict.fromkeys(CONSOLE, self._console),
            "output": self._output,
            "python": self._python,
            "yaml": self._yaml,
            "sql": self._sql,
            "toml": self._toml,
            "text": lambda block: None,
        }

    def tell(self, block: Block) -> None:
        """Do with a block what a reader would."""
        if (name := block.said("file")) is not None:
            file = self._folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._here(block.text))
            if block.language == "python":
                return  # a command of the page runs it
        self.uses[block.language](block)

    def end(self) -> None:
        """Stop what was started; all of it was still running, and ends well."""
        assert self._shell.ended() == []
        for ran in self._shell.stop():
            assert ran.exit_code == 0, str(ran)

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

    def _sql(self, block: Block) -> None:
        with psycopg.connect(self._database_url) as connection:
            connection.execute(self._here(block.text).encode())
            connection.rollback()


def _lasts(command: str) -> bool:
    for words in calls(command):
        if any(words[: len(verb)] == verb for verb in LASTING):
            return True
        if words[:1] == ["simulate"] and not {"--events", "--seconds"} & set(words):
            return True
    return False


@pytest.fixture
def story(
    request: pytest.FixtureRequest, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Story]:
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            missing(f"the pages use {program}, which is not on PATH")
    page = request.node.callspec.params["page"]
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "desk"
    folder.mkdir()
    with EmbeddedBroker(every_topic(configuration.PARTITIONS)) as broker:
        found = given.of(page, broker.bootstrap, database_url)
        environment = configuration.environment(broker.bootstrap, database_url) | found.environment
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        shell = Shell(folder, environment)
        try:
            yield Story(shell, folder, database_url, found.places, found.prelude)
        finally:
            shell.kill()


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_can_be_done_from_top_to_bottom(page: str, story: Story) -> None:
    for block in blocks(PAGES[page].read_text()):
        if block.runs:
            try:
                story.tell(block)
            except Exception as error:
                error.add_note(f"{page}, line {block.line}")
                raise
    story.end()


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_run_says_why(page: str) -> None:
    for block in blocks(PAGES[page].read_text()):
        assert block.runs or block.said("reason"), f"{page}, line {block.line}"


@pytest.mark.parametrize("page", PAGES)
def test_every_call_of_the_command_line_is_one_it_takes(page: str) -> None:
    known = dict(commands.verbs(cli.application()))
    for block in blocks(PAGES[page].read_text()):
        if block.language in CONSOLE:
            for words in (words for command in block.commands() for words in calls(command)):
                verb = next((verb for verb in known if _begins(words, verb)), None)
                assert verb is not None, f"{page}, line {block.line}: {words}"
                given_options = {word.partition("=")[0] for word in words if word.startswith("--")}
                assert given_options <= commands.options(known[verb]), f"{page}, line {block.line}: {words}"


def _begins(words: list[str], verb: str) -> bool:
    names = verb.split()[1:]
    return words[: len(names)] == names


@pytest.mark.parametrize("page", PAGES)
def test_python_that_is_not_run_is_python(page: str) -> None:
    for block in blocks(PAGES[page].read_text()):
        if block.language == "python":
            compile(block.text, f"{page}, line {block.line}", "exec")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_links_to_what_is_there(page: str) -> None:
    text = PAGES[page].read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (PAGES[page].parent / name) if name else PAGES[page]
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file.read_text()), target


def _anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
