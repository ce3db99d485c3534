"""The shape of the project: one namespace, six roles, and who may know whom."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Role to the roles it may import; what is not named here it must not.
MAY_IMPORT = {
    "schema": set(),
    "producers": {"schema"},
    "streams": {"schema"},
    "sql": {"schema"},
    "actions": {"schema", "sql", "producers"},
    "dashboards": {"schema", "producers", "streams", "sql", "actions"},
}
# Role to the libraries that belong to another.
MUST_NOT_IMPORT = {
    "schema": {"numpy", "faust", "psycopg"},
    "producers": {"numpy", "faust", "psycopg"},
    "streams": {"psycopg", "pgvector"},
    "sql": {"faust"},
    "actions": {"faust"},
    "dashboards": {"faust"},
}
# File to the library of another role that it may import after all, because only who asks for it needs it.
EXCEPTIONS = {
    # `publish --from-postgres`; psycopg is imported inside its functions, so publishing itself stays light.
    "producers/drift_aware/producers/backfill/query.py": {"psycopg"},
}


def _modules(role: str) -> list[Path]:
    return sorted((ROOT / role / "drift_aware" / role).rglob("*.py"))


def _imports(file: Path) -> Iterator[str]:
    """Every module the file imports, wherever in the file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "drift_aware":
            yield from (f"drift_aware.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_the_roles_are_the_folders_that_hold_a_portion_of_the_namespace() -> None:
    assert {folder.parent.name for folder in ROOT.glob("*/drift_aware")} == set(MAY_IMPORT)


def test_no_file_closes_the_namespace() -> None:
    assert list(ROOT.glob("*/drift_aware/__init__.py")) == []


@pytest.mark.parametrize("role", MAY_IMPORT)
def test_every_role_says_that_it_is_typed(role: str) -> None:
    assert (ROOT / role / "drift_aware" / role / "py.typed").is_file()


def test_every_list_of_roles_names_all_of_them() -> None:
    tools, roles = PROJECT["tool"], set(MAY_IMPORT)
    assert set(tools["hatch"]["build"]["targets"]["wheel"]["packages"]) == {
        f"{role}/drift_aware" for role in roles
    }
    assert set(tools["hatch"]["build"]["targets"]["wheel"]["dev-mode-dirs"]) == roles
    assert set(tools["mypy"]["mypy_path"]) == roles | {"tests", "benchmarks", "docs", "examples"}
    assert set(tools["mypy"]["files"]) == roles | {"tests", "benchmarks", "docs", "examples"}
    assert set(tools["pyright"]["extraPaths"]) == roles
    assert set(tools["ruff"]["src"]) == roles | {"tests"}
    assert set(tools["coverage"]["run"]["source"]) == roles


@pytest.mark.parametrize("role", MAY_IMPORT)
def test_a_role_knows_only_the_roles_it_may(role: str) -> None:
    strangers = set(MAY_IMPORT) - MAY_IMPORT[role] - {role}
    found = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in _modules(role)
        for name in _imports(file)
        if name.startswith("drift_aware.") and name.split(".")[1] in strangers
    }
    assert not found


@pytest.mark.parametrize("role", MAY_IMPORT)
def test_a_role_leaves_the_libraries_of_others_alone(role: str) -> None:
    found = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in _modules(role)
        for name in _imports(file)
        if name.split(".")[0] in MUST_NOT_IMPORT[role] - EXCEPTIONS.get(str(file.relative_to(ROOT)), set())
    }
    assert not found


def test_every_module_imports() -> None:
    names = [
        ".".join(file.relative_to(ROOT / role).with_suffix("").parts).removesuffix(".__init__")
        for role in MAY_IMPORT
        for file in _modules(role)
    ]
    # In a process of its own: Faust rearranges the one that imports it.
    script = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    run = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
