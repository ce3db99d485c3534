"""What an application gets that installs the bare package to publish."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each belongs to an extra; an application that only publishes must not be made to carry it.
EXTRAS = [
    "faust",
    "fastapi",
    "httpx2",
    "langchain_core",
    "litellm",
    "numpy",
    "prometheus_client",
    "psycopg",
    "pydantic",
    "river",
    "stamina",
    "structlog",
    "typer",
    "uvicorn",
]


def _run(*command: str | Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as for a release: from the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    built = _run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with nothing but the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    installed = _run(folder / "bin" / "pip", "install", "--quiet", wheel)
    assert installed.returncode == 0, installed.stderr
    return folder / "bin"


def test_the_wheel_holds_every_file_of_every_role_and_nothing_else(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = _run(
        "git", "ls-files", "--cached", "--others", "--exclude-standard", "*/drift_aware/*", cwd=ROOT
    )
    there = {name.partition("/")[2] for name in listed.stdout.split() if (ROOT / name).is_file()}
    assert packed == there
    assert "drift_aware/__init__.py" not in packed
    assert "drift_aware/schema/json/alert.v1.json" in packed


def test_an_application_can_publish_with_the_bare_package(bare: Path) -> None:
    imported = _run(bare / "python", "-c", "import drift_aware.producers as p; print(p.__path__)")
    assert imported.returncode == 0, imported.stderr


def test_an_application_over_http_can_be_watched_with_the_bare_package(bare: Path) -> None:
    imported = _run(bare / "python", "-c", "import drift_aware.producers.integrations.asgi")
    assert imported.returncode == 0, imported.stderr


def test_the_bare_package_brings_no_library_of_an_extra(bare: Path) -> None:
    script = "import importlib.util, sys; print([n for n in sys.argv[1:] if importlib.util.find_spec(n)])"
    assert _run(bare / "python", "-c", script, *EXTRAS).stdout.strip() == "[]"


def test_the_command_of_the_bare_package_says_which_extra_to_install(bare: Path) -> None:
    ran = _run(bare / "drift-aware", "demo")
    assert ran.returncode == 1
    assert "pip install 'drift-aware[cli]'" in ran.stderr
    assert "Traceback" not in ran.stderr
