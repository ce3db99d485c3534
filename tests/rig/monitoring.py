"""Prometheus and Alertmanager as Debian packages them, and their checking tools."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.services import missing

_STOP_SECONDS = 20.0
# Debian keeps the name of the project in that of the program.
_ALERTMANAGER = ("alertmanager", "prometheus-alertmanager")


def tool(*names: str) -> str:
    """The path of the first program there is; without any the test is skipped at a desk, and fails in CI."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing(f"no {names[0]}; install the Debian packages prometheus and prometheus-alertmanager")
    return found


def checked(program: str, *arguments: str | Path, given: str | None = None) -> str:
    """What a checking tool says of something that is right.

    Raises:
        AssertionError: it finds something wrong; with what it says.
    """
    command = [tool(program), *map(str, arguments)]
    run = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


@contextmanager
def running(program: str, log: Path, *arguments: str) -> Iterator[None]:
    """A server that runs inside the block."""
    with log.open("wb") as output:
        process = subprocess.Popen([program, *arguments], stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def prometheus(folder: Path, configuration: Path, port: int) -> Iterator[str]:
    """A Prometheus with nothing in it; its address."""
    arguments = (
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with running(tool("prometheus"), folder / "prometheus.log", *arguments):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def alertmanager(folder: Path, configuration: Path, port: int) -> Iterator[str]:
    """An Alertmanager on its own, no cluster; its address."""
    arguments = (
        f"--config.file={configuration}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )
    with running(tool(*_ALERTMANAGER), folder / "alertmanager.log", *arguments):
        yield f"http://127.0.0.1:{port}"


def log_of(folder: Path, program: str) -> str:
    """What a server has said so far."""
    file = folder / f"{program}.log"
    return file.read_text(errors="replace") if file.exists() else ""
