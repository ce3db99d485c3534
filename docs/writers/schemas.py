"""A JSON Schema in the words of a table: type, bounds, default."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


def described(schema: Mapping[str, Any]) -> str:
    """What a value may be, in a few words.

    >>> described({"type": "integer", "minimum": 1, "maximum": 3600})
    'whole number, 1 to 3600'
    >>> described({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]})
    'number, above 0; or null'
    >>> described({"type": "array", "items": {"enum": ["a", "b"]}})
    'list of `a`, `b`'
    >>> described({"$ref": "#/$defs/Rule"})
    'Rule'
    """
    if "anyOf" in schema or "oneOf" in schema:
        parts = [described(each) for each in schema.get("anyOf", schema.get("oneOf"))]
        return "; or ".join(part for part in parts if part)
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    return ", ".join(filter(None, [_type(schema), *_bounds(schema)]))


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array":
        return f"list of {described(schema['items'])}" if schema.get("items") else "list"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"name to {described(values)}" if isinstance(values, dict) and values else "names and values"
    if schema.get("format") == "password":
        return "text, secret"
    if schema.get("contentEncoding") == "base64":
        return "bytes in base64"
    formats = {"path": "path", "date-time": "time with offset", "time": "time of day", "uri": "address"}
    return formats.get(schema.get("format", ""), _WORDS.get(str(kind), str(kind or "")))


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        yield f"{low:,} to {high:,}" if max(abs(low), abs(high)) >= 10_000 else f"{low:g} to {high:g}"
    elif low is not None:
        yield f"at least {low:,}"
    elif high is not None:
        yield f"at most {high:,}"
    if "exclusiveMinimum" in schema:
        yield f"above {schema['exclusiveMinimum']:g}"


def literal(value: Any) -> str:
    """A default as it stands in a cell; nothing for null.

    >>> literal("1 per 30d"), literal([]), literal(None)
    ('`1 per 30d`', '`[]`', '')
    """
    if value is None:
        return ""
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
