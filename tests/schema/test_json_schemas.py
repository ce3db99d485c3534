"""The JSON Schemas are what the types say, and the types only ever grow."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.schema import alerts, json_schemas
from drift_aware.schema.compatibility import breaking_changes
from drift_aware.schema.events import Embedding, Interaction

Schema = dict[str, Any]
SCHEMAS = json_schemas.generate()
FIELDS = [
    (file, name, field)
    for file, schema in SCHEMAS.items()
    for name, definition in schema["$defs"].items()
    for field in definition.get("properties", {})
]


def _object(properties: Schema | None = None, **keywords: Any) -> Schema:
    return {"type": "object", "properties": properties or {}, **keywords}


def test_the_files_are_what_the_types_say() -> None:
    assert json_schemas.committed() == SCHEMAS, "run: make schemas"


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_every_file_is_a_json_schema(schema: Schema) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


def test_what_we_write_is_valid_by_our_schemas() -> None:
    written = {
        "interaction": Interaction(id="1", ts=1_700_000_000_000, refusal=False, labels={"a": "b"}),
        "embedding": Embedding(id="1", ts="2023-11-14T23:13:20Z", vector=b"\0\0\0\0", dim=1),
        "action": alerts.Action(
            id="1",
            revision=1,
            action="tune",
            status="proposed",
            alert_id="a",
            segment="all",
            metric="refusal_rate",
            severity="warning",
            ts=1,
            dry_run=True,
            reason="because",
            receipt={"n": 1, "ok": None},
        ),
    }
    for name, value in written.items():
        jsonschema.validate(json.loads(msgspec.json.encode(value)), SCHEMAS[f"{name}.v1.json"])


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        ("a was removed", _object({"a": {"type": "integer"}}), _object()),
        ("a is now required", _object({"a": {}}), _object({"a": {}}, required=["a"])),
        ("a is no longer always there", _object({"a": {}}, required=["a"]), _object({"a": {}})),
        (
            "a: string is no longer accepted",
            _object({"a": {"type": "string"}}),
            _object({"a": {"type": "integer"}}),
        ),
        (
            "a: string is no longer accepted",
            _object({"a": {"type": "string"}}),
            _object({"a": {"enum": ["x"]}}),
        ),
        (
            "a: 'y' is no longer accepted",
            _object({"a": {"enum": ["x", "y"]}}),
            _object({"a": {"enum": ["x"]}}),
        ),
        (
            "a: null is no longer accepted",
            _object({"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}),
            _object({"a": {"type": "string"}}),
        ),
        (
            "a: maximum is now 1",
            _object({"a": {"type": "number"}}),
            _object({"a": {"type": "number", "maximum": 1}}),
        ),
        (
            "a: minimum is now 2",
            _object({"a": {"type": "number", "minimum": 1}}),
            _object({"a": {"type": "number", "minimum": 2}}),
        ),
        (
            "a: contentEncoding is now None",
            _object({"a": {"type": "string", "contentEncoding": "base64"}}),
            _object({"a": {"type": "string"}}),
        ),
        (
            "a[]: string is no longer accepted",
            _object({"a": {"type": "array", "items": {"type": "string"}}}),
            _object({"a": {"type": "array", "items": {"type": "integer"}}}),
        ),
        (
            "a[0]: string is no longer accepted",
            _object({"a": {"type": "array", "prefixItems": [{"type": "string"}], "items": False}}),
            _object({"a": {"type": "array", "prefixItems": [{"type": "integer"}], "items": False}}),
        ),
        ("* is no longer accepted", _object(), _object(additionalProperties=False)),
        (
            "*: string is no longer accepted",
            _object(additionalProperties={"type": "string"}),
            _object(additionalProperties={"type": "integer"}),
        ),
    ],
)
def test_a_change_that_takes_away_is_breaking(change: str, old: Schema, new: Schema) -> None:
    assert breaking_changes(old, new) == [change]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (_object(), _object({"a": {"type": "string"}})),
        (_object({"a": {"enum": ["x"]}}), _object({"a": {"enum": ["x", "y"]}})),
        (_object({"a": {"enum": ["x"]}}), _object({"a": {"type": "string"}})),
        (_object({"a": {"type": "integer"}}), _object({"a": {"type": "number"}})),
        (
            _object({"a": {"type": "string"}}),
            _object({"a": {"anyOf": [{"type": "null"}, {"type": "string"}]}}),
        ),
        (
            _object({"a": {"type": "number", "maximum": 1}}),
            _object({"a": {"type": "number", "maximum": 2}}),
        ),
        (_object(additionalProperties={"type": "string"}), _object()),
    ],
)
def test_a_change_that_only_adds_is_not_breaking(old: Schema, new: Schema) -> None:
    assert breaking_changes(old, new) == []


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_a_type_is_compatible_with_itself(schema: Schema) -> None:
    assert breaking_changes(schema, deepcopy(schema)) == []


@given(place=st.sampled_from(FIELDS), name=st.text(min_size=1))
def test_a_new_optional_field_breaks_nothing_wherever_it_is_added(
    place: tuple[str, str, str], name: str
) -> None:
    file, definition, _ = place
    new = deepcopy(SCHEMAS[file])
    new["$defs"][definition]["properties"].setdefault(name, {"type": "integer"})
    assert breaking_changes(SCHEMAS[file], new) == []


def _remove(definition: Schema, field: str) -> None:
    del definition["properties"][field]


def _require_another(definition: Schema, field: str) -> None:
    definition["properties"]["another"] = {"type": "string"}
    definition["required"] = [*definition.get("required", ()), "another"]


def _retype(definition: Schema, field: str) -> None:
    definition["properties"][field] = {"type": "never"}


@given(place=st.sampled_from(FIELDS), spoil=st.sampled_from([_remove, _require_another, _retype]))
def test_every_field_of_every_type_is_guarded(
    place: tuple[str, str, str], spoil: Callable[[Schema, str], None]
) -> None:
    file, definition, field = place
    new = deepcopy(SCHEMAS[file])
    spoil(new["$defs"][definition], field)
    assert breaking_changes(SCHEMAS[file], new)


def test_writing_refuses_a_change_that_breaks_the_file(tmp_path: Path) -> None:
    json_schemas.write(tmp_path)
    file = tmp_path / "feedback.v1.json"
    there = json.loads(file.read_text())
    there["$defs"]["Feedback"]["properties"]["mood"] = {"type": "string"}
    file.write_text(json.dumps(there))
    with pytest.raises(json_schemas.ContractBroken, match=r"feedback\.v1\.json: mood was removed.*v2"):
        json_schemas.write(tmp_path)
    assert json.loads(file.read_text()) == there


def test_writing_adds_what_was_added_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    assert sorted(json_schemas.write(tmp_path)) == sorted(SCHEMAS)
    file = tmp_path / "feedback.v1.json"
    there = json.loads(file.read_text())
    del there["$defs"]["Feedback"]["properties"]["comment"]
    file.write_text(json.dumps(there))
    assert json_schemas.write(tmp_path) == ["feedback.v1.json"]
    assert json_schemas.write(tmp_path) == []


def test_the_check_says_what_to_run_when_a_file_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json_schemas.main(["--check"]) == 0
    monkeypatch.setattr(json_schemas, "committed", dict)
    assert json_schemas.main(["--check"]) == 1
    assert "make schemas" in capsys.readouterr().err
    assert json_schemas.main(["--chekc"]) == 2
