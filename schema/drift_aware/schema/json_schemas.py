"""The JSON Schema of every type on the wire, one file each beside this module in ``json/``.

Usage: ``python -m drift_aware.schema.json_schemas [--check]``. It writes the files from the types, and
refuses to write what would break the contract of a file that is there: such a change is a new version of the
type, with a topic of its own. ``--check`` writes nothing and fails if a file is not what the types say.
"""

import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from drift_aware.schema import alerts, canaries, events, policies
from drift_aware.schema.compatibility import breaking_changes
from drift_aware.schema.errors import DriftAwareError

FOLDER = Path(__file__).with_name("json")

WIRE_TYPES: Mapping[str, type[msgspec.Struct]] = {
    "interaction": events.Interaction,
    "embedding": events.Embedding,
    "feedback": events.Feedback,
    "evaluation": events.Evaluation,
    "alert": alerts.Alert,
    "readings": alerts.Readings,
    "baseline": alerts.Baseline,
    "day_sums": alerts.DaySums,
    "action": alerts.Action,
    "policy": policies.Policy,
    "canary": canaries.Canary,
}


class ContractBroken(DriftAwareError):
    """A type on the wire changed in a way its writers or readers cannot follow."""


def generate() -> dict[str, dict[str, Any]]:
    """File name to schema, as the types are now."""
    return {f"{name}.v1.json": _schema(name, wire_type) for name, wire_type in WIRE_TYPES.items()}


def committed(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """File name to schema, as the files are."""
    return {file.name: json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))}


def write(folder: Path = FOLDER) -> list[str]:
    """Bring the files up to date; the names of those that changed.

    Raises:
        ContractBroken: a change is not additive; nothing is written.
    """
    before, now = committed(folder), generate()
    broken = [
        f"{name}: {change}" for name in before for change in breaking_changes(before[name], now.get(name, {}))
    ]
    if broken:
        raise ContractBroken(f"{'; '.join(broken)}. Versions only add: give the type a v2 and its own topic")
    changed = [name for name, schema in now.items() if before.get(name) != schema]
    folder.mkdir(exist_ok=True)
    for name in changed:
        (folder / name).write_text(json.dumps(now[name], indent=2, ensure_ascii=False) + "\n", "utf-8")
    return changed


def _schema(name: str, wire_type: type[msgspec.Struct]) -> dict[str, Any]:
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:drift-aware:{name}:v1",
    }
    schema: dict[str, Any] = head | msgspec.json.schema(wire_type)
    for definition in schema["$defs"].values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return schema


def main(arguments: list[str]) -> int:
    """The command; its exit code."""
    if arguments == ["--check"]:
        now, there = generate(), committed()
        stale = sorted(name for name in now.keys() | there.keys() if now.get(name) != there.get(name))
        if stale:
            sys.stderr.write(f"not what the types say: {', '.join(stale)}; run: make schemas\n")
        return 1 if stale else 0
    if arguments:
        sys.stderr.write("usage: python -m drift_aware.schema.json_schemas [--check]\n")
        return 2
    try:
        changed = write()
    except ContractBroken as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write("".join(f"wrote {name}\n" for name in changed) or "all schemas are current\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
