"""Whether a JSON Schema is still the same contract after a change.

Writers and readers of the topics are upgraded at different times, so a version of a wire type may only grow:
what was valid stays valid, no field goes away, and a field that was always there stays so.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_FORMS = ("contentEncoding", "format", "pattern", "const")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What in ``new`` breaks a writer or a reader made for ``old``; empty if nothing does.

    Understands what msgspec generates: ``$ref`` into ``$defs``, ``anyOf``, ``enum``, objects, arrays, bounds.

    >>> old = {"type": "object", "properties": {"a": {"type": "integer"}}}
    >>> new = {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["b"]}
    >>> breaking_changes(old, new)
    ['b is now required', 'a: integer is no longer accepted']
    """
    return list(_Comparison(old.get("$defs", {}), new.get("$defs", {})).compare("", old, new))


class _Comparison:
    def __init__(self, old_definitions: Schema, new_definitions: Schema) -> None:
        self._old = old_definitions
        self._new = new_definitions

    def compare(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        candidates = list(_alternatives(new, self._new))
        for alternative in _alternatives(old, self._old):
            matching = [candidate for candidate in candidates if _covers(alternative, candidate)]
            if not matching:
                yield f"{path or 'the whole'}: {_shape(alternative)} is no longer accepted"
                continue
            changes = [list(self._within(path, alternative, candidate)) for candidate in matching]
            yield from min(changes, key=len)

    def _within(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        """Between two alternatives of the same shape."""
        if "enum" in old and "enum" in new:
            for value in sorted(set(old["enum"]) - set(new["enum"]), key=str):
                yield f"{path}: {value!r} is no longer accepted"
        yield from _bounds(path, old, new)
        yield from self._object(path, old, new)
        yield from self._array(path, old, new)

    def _object(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        required, now_required = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(now_required - required):
            yield f"{_join(path, name)} is now required"
        for name in sorted(required - now_required):
            yield f"{_join(path, name)} is no longer always there"
        properties = new.get("properties", {})
        for name, old_property in old.get("properties", {}).items():
            if name in properties:
                yield from self.compare(_join(path, name), old_property, properties[name])
            else:
                yield f"{_join(path, name)} was removed"
        yield from self._rest(_join(path, "*"), "additionalProperties", old, new)

    def _array(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        old_first, new_first = old.get("prefixItems", ()), new.get("prefixItems", ())
        for i, (old_item, new_item) in enumerate(zip(old_first, new_first, strict=False)):
            yield from self.compare(f"{path}[{i}]", old_item, new_item)
        if len(old_first) != len(new_first):
            yield f"{path} has {len(new_first)} places, not {len(old_first)}"
        yield from self._rest(f"{path}[]", "items", old, new)

    def _rest(self, path: str, keyword: str, old: Schema, new: Schema) -> Iterator[str]:
        """What may stand in places that have no schema of their own; anything where nothing is said."""
        old_rest, new_rest = old.get(keyword, True), new.get(keyword, True)
        if old_rest is False or new_rest is True:
            return
        if new_rest is False:
            yield f"{path} is no longer accepted"
        else:
            yield from self.compare(path, {} if old_rest is True else old_rest, new_rest)


def _alternatives(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        yield from _alternatives(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    elif "anyOf" in schema:
        for alternative in schema["anyOf"]:
            yield from _alternatives(alternative, definitions)
    else:
        yield schema


def _shape(schema: Schema) -> str:
    return "enum" if "enum" in schema else str(schema.get("type", "anything"))


def _covers(old: Schema, new: Schema) -> bool:
    """Whether ``new`` may accept what ``old`` does; the details are compared afterwards."""
    if _shape(new) in (_shape(old), "anything"):
        return True
    if _shape(old) == "enum":
        return _shape(new) == "string" and all(isinstance(value, str) for value in old["enum"])
    return (_shape(old), _shape(new)) == ("integer", "number")


def _bounds(path: str, old: Schema, new: Schema) -> Iterator[str]:
    for name in _LOWER_BOUNDS:
        if name in new and (name not in old or new[name] > old[name]):
            yield f"{path}: {name} is now {new[name]}"
    for name in _UPPER_BOUNDS:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{path}: {name} is now {new[name]}"
    for name in _FORMS:
        if old.get(name) != new.get(name):
            yield f"{path}: {name} is now {new.get(name)!r}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
