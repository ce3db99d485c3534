"""``reference/cli.md``: every verb, from the functions behind the command line."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from drift_aware.schema import cli
from writers.attributes import plain
from writers.schemas import literal, table

_HEAD = """# The command line

Made from the command line itself by `make schemas`. Every verb takes `--help`; those with `--config` read
settings from a YAML file, which the environment overrides ([configuration.md](configuration.md)). Results go
to stdout, logs to stderr.

| exit code | means |
| --- | --- |
| 0 | fine; also after SIGTERM or Ctrl-C of a verb that runs until it is stopped |
| 1 | it has failed, or `check` found something; one line says what to do |
| 2 | misuse: an unknown option, or a setting that is missing or wrong |
| 3 | `worker` only: its state could be wrong, so it ended; start it again, and it is right |
"""
_WORDS: dict[object, str] = {str: "text", int: "whole number", float: "number", Path: "path"}


def page() -> str:
    """The page."""
    return "\n".join([_HEAD, *(_section(path, verb) for path, verb in sorted(verbs(cli.application())))])


def verbs(app: typer.Typer, path: str = "drift-aware") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every verb's whole name and its function."""
    for command in app.registered_commands:
        assert command.callback is not None
        if not command.hidden:
            name = command.name or command.callback.__name__.replace("_", "-")
            yield f"{path} {name}", command.callback
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from verbs(group.typer_instance, f"{path} {group.name}")
        # After the verbs in it: a group that is a verb itself is what a line says that names none of them.
        if group.typer_instance.registered_callback is not None:
            assert group.typer_instance.registered_callback.callback is not None
            yield f"{path} {group.name}", group.typer_instance.registered_callback.callback


def options(verb: Callable[..., Any]) -> set[str]:
    """What may stand behind a verb and begins with a dash."""
    hints = get_type_hints(verb, include_extras=True)
    names = {"--help"}
    for parameter in _parameters(verb):
        _, info = _taken_apart(hints[parameter.name])
        if isinstance(info, OptionInfo):
            names |= {name for both in _names(parameter, info) for name in both.split("/")}
    return names


def _section(path: str, verb: Callable[..., Any]) -> str:
    hints = get_type_hints(verb, include_extras=True)
    parameters = [(each, *_taken_apart(hints[each.name])) for each in _parameters(verb)]
    places = [_place(each) for each, _, info in parameters if isinstance(info, ArgumentInfo)]
    rows = [_row(*each) for each in parameters if not each[2].hidden]
    options = table(["option", "value", "default", "meaning"], rows) if rows else "No options.\n"
    return f"## `{' '.join([path, *places])}`\n\n{_text(verb.__doc__)}\n\n{options}"


def _parameters(verb: Callable[..., Any]) -> list[inspect.Parameter]:
    return [each for each in inspect.signature(verb).parameters.values() if each.name != "context"]


def _taken_apart(hint: Any) -> tuple[Any, OptionInfo | ArgumentInfo]:
    """A parameter's type, and what Typer is told of it."""
    if get_origin(hint) is not Annotated:
        return hint, OptionInfo()
    kind, *more = get_args(hint)
    return kind, next((each for each in more if isinstance(each, OptionInfo | ArgumentInfo)), OptionInfo())


def _place(parameter: inspect.Parameter) -> str:
    name = parameter.name.upper()
    return name if parameter.default is inspect.Parameter.empty else f"[{name}]"


def _row(parameter: inspect.Parameter, kind: Any, info: OptionInfo | ArgumentInfo) -> list[str]:
    names = _place(parameter) if isinstance(info, ArgumentInfo) else ", ".join(_names(parameter, info))
    return [f"`{names}`", _value(kind), _default(parameter.default), _text(info.help)]


def _names(parameter: inspect.Parameter, info: OptionInfo) -> list[str]:
    """What an option is called; inside Annotated the first name stands where a default would."""
    first = [info.default] if isinstance(info.default, str) else []
    return [*first, *(info.param_decls or ())] or [f"--{parameter.name.replace('_', '-')}"]


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    if value is False or value == "":
        return ""
    return literal(str(value) if isinstance(value, Path) else value)


def _value(kind: Any) -> str:
    """What an option takes, in words; nothing of a flag.

    >>> _value(Literal["a", "b"] | None), _value(list[str]), _value(bool)
    ('`a`, `b`', 'text, repeatable', '')
    """
    origin, inner = get_origin(kind), [each for each in get_args(kind) if each is not NoneType]
    if origin in (Union, UnionType, Annotated):
        return _value(inner[0])
    if origin is list:
        return f"{_value(inner[0])}, repeatable"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    return "" if kind is bool else _WORDS.get(kind, getattr(kind, "__name__", ""))


def _text(text: str | None) -> str:
    return plain(" ".join((text or "").split()))
