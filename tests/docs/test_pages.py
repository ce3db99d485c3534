"""Every page of the documentation is a story that is told from top to bottom, and all of it is true.

Commands run, in a folder that holds nothing but what the page has saved in it; what runs until it is stopped
is started beside the others, and ends with exit code 0 when the page ends. Settings are loaded, statements
executed, programs run. A block called ``output`` is what the command before it prints, sooner or later, with
``…`` for what differs. What cannot run here says why; that its calls of ``drift-aware`` name verbs
and options that exist is seen to all the same.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from drift_aware.schema import cli
from drift_aware.streams.embedded import EmbeddedBroker, every_topic
from rig import configuration, given
from rig.pages import CONSOLE, blocks, calls, pages
from rig.services import missing
from rig.shell import Shell
from rig.telling import Story
from writers import commands

PAGES = pages()


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
    with EmbeddedBroker(every_topic(configuration.PARTITIONS)) as broker, ExitStack() as services:
        found = given.of(page, broker.bootstrap, database_url)
        for service in found.services:
            services.enter_context(service)
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
