"""The rights that docs/kafka.md says each role needs, granted."""

from collections.abc import Iterator
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from drift_aware.schema.topics import SOURCES, SUMMARIES, TOPICS

_PAGE = Path(__file__).parents[2] / "docs" / "kafka.md"
_HEAD = "| principal | runs |"
_TOGETHER = {
    "sources": [topic.name for topic in SOURCES.values()],
    "dead letters": [f"{topic.name}.dlq" for topic in (*SOURCES.values(), SUMMARIES)],
}


def grant(bootstrap: str) -> list[str]:
    """Grant each principal of the table what its row says; the principals."""
    head, rows = _table()
    bindings = [
        binding
        for row in rows
        for column, cell in zip(head[2:], row[2:], strict=True)
        for binding in _bindings(row[0], column, cell)
    ]
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    for done in admin.create_acls(bindings).values():
        done.result()
    return [row[0] for row in rows]


def needed(principal: str) -> dict[str, set[str]]:
    """Right to what the page says a role needs it of, prefixes as the topics of ours that have them."""
    head, rows = _table()
    row = next(row for row in rows if row[0] == principal)
    return {
        column: {name for entry in filter(None, cell.split(", ")) for name in _named(entry)}
        for column, cell in zip(head[2:], row[2:], strict=True)
    }


def _named(entry: str) -> list[str]:
    if entry.endswith("*"):
        return [topic.name for topic in TOPICS if topic.name.startswith(entry.rstrip("*"))]
    return _TOGETHER.get(entry, [entry])


def _table() -> tuple[list[str], list[list[str]]]:
    lines = _PAGE.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(_HEAD))
    head, _, *rows = [_cells(line) for line in lines[first:] if line.startswith("|")]
    return head, rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _bindings(principal: str, column: str, cell: str) -> Iterator[AclBinding]:
    operation, _, kind = column.partition(", ")
    for entry in filter(None, cell.split(", ")):
        for name in _TOGETHER.get(entry, [entry]):
            yield AclBinding(
                ResourceType.GROUP if kind == "groups" else ResourceType.TOPIC,
                name.rstrip("*"),
                ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL,
                f"User:{principal}",
                "*",
                AclOperation[operation.upper()],
                AclPermissionType.ALLOW,
            )
