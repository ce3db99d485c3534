"""``reference/configuration.md``: every setting, from the settings themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from drift_aware.schema.settings import ENVIRONMENT, PREFIX, Settings
from writers.attributes import introduction, meanings, plain
from writers.schemas import described, literal, table

_HEAD = f"""# Configuration

Made from the settings themselves by `make schemas`. A verb reads the YAML file named by `--config`, and the
environment overrides it. `${{NAME}}` inside a value of the file stands for that environment variable. An
unknown setting or variable is an error that names the nearest known one.

Where a setting has a variable of its own, it is `{PREFIX}` and the path with double underscores; lists and
names with values are written as JSON there. Others are set with the section above them, as one JSON object.
These variables, which many deployments have already, work as well:

"""

# What stands for the members of a list, or of names with values, in a path.
_MEMBERS: Mapping[object, str] = {list: "[]", dict: ".NAME"}


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the settings.

    Attributes:
        path: dotted; ``[]`` stands for each member of a list, ``NAME`` for each name.
        kind: its class.
        variables: whether its settings have environment variables of their own.
    """

    path: str
    kind: type[BaseModel]
    variables: bool = True

    def under(self, name: str) -> str:
        """The dotted path of a setting in it."""
        return f"{self.path}.{name}" if self.path else name


def page() -> str:
    """The page."""
    short = table(["variable", "setting"], [[f"`{name}`", f"`{path}`"] for name, path in ENVIRONMENT.items()])
    return _HEAD + short + "".join(f"\n{_section(part)}" for part in parts(Part("", Settings)))


def parts(part: Part) -> Iterator[Part]:
    """A section and all below it."""
    yield part
    for name, info in part.kind.model_fields.items():
        path = part.under(info.alias or name)
        direct = isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
        for kind, suffix in _sections(info.annotation):
            yield from parts(Part(path + suffix, kind, part.variables and direct))


def _sections(annotation: Any, suffix: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """The classes of sections a type is made of, and what stands between them and it in a path."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, suffix
        return
    origin = getattr(annotation, "__origin__", None)
    suffix += _MEMBERS.get(origin, "")
    for argument in get_args(annotation):
        yield from _sections(argument, suffix)


def _section(part: Part) -> str:
    schema = part.kind.model_json_schema()
    said = meanings(part.kind)
    rows = []
    for name, info in part.kind.model_fields.items():
        key = info.alias or name
        path = part.under(key)
        value = schema["properties"][key]
        if next(_sections(info.annotation), None) and is_section(info.annotation):
            continue  # it has a table of its own
        variable = f"`{PREFIX}{path.replace('.', '__').upper()}`" if part.variables else ""
        default = "required" if info.is_required() else literal(value.get("default"))
        rows.append([f"`{path}`", variable, described(value), default, plain(said.get(name, ""))])
    title = f"`{part.path}`" if part.path else "At the top"
    cells = table(["setting", "variable", "value", "default", "meaning"], rows) if rows else ""
    return f"## {title}\n\n{introduction(part.kind)}\n\n{cells}"


def is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
