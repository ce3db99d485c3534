"""Takes out of a batch what must not be stored: all texts if the settings say so, and what is forgotten."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from psycopg.types.json import Jsonb

from drift_aware.schema.events import Kind
from drift_aware.sql import tombstones
from drift_aware.sql.batch import Batch
from drift_aware.sql.erasure import erase
from drift_aware.sql.rows import LOGS, Row
from drift_aware.sql.store import Connection
from drift_aware.sql.tombstones import USER_LABEL, Names

# Column to its place in a row.
_PLACES: Mapping[Kind, Mapping[str, int]] = {
    kind: {name: place for place, name in enumerate(table.columns)} for kind, table in LOGS.items()
}
_TEXTS: Mapping[Kind, tuple[str, ...]] = {
    kind: tuple(name for name, holds in table.event_columns.items() if holds == "text")
    for kind, table in LOGS.items()
}
# Kind to the column with the interaction's id; an evaluation belongs to nobody.
_INTERACTION: Mapping[Kind, str] = {
    "interaction": "id",
    "embedding": "interaction_id",
    "feedback": "interaction_id",
}


def withhold_texts(batch: Batch) -> None:
    """Leave every text column empty, and the words of alerts; whether an answer was right stays known."""
    for kind, texts in _TEXTS.items():
        rows = (_judged(row) if kind == "evaluation" else row for row in _rows(batch, kind))
        _replace(batch, kind, "store_texts", (_emptied(kind, row, texts) for row in rows))
    for alert in _alerts(batch):
        if alert["words"]:
            _amend(batch, alert, "store_texts", words=[])


def withhold_forgotten(connection: Connection, batch: Batch) -> None:
    """Leave out what belongs to forgotten users, sessions and interactions.

    A new interaction of a forgotten user or session is forgotten itself: its vector or its feedback may be
    there already, and name nothing but it.
    """
    if not tombstones.anybody(connection):
        return
    forgotten = tombstones.look_up(connection, _named(batch))
    if forgotten == tombstones.NOBODY:
        return
    following = Names(frozenset(_following(batch, forgotten)))
    if following.interactions:
        tombstones.enter(connection, following)
        erase(connection, following)
    _leave_out(batch, forgotten | following)


def _named(batch: Batch) -> Names:
    """Everybody a batch is about."""
    rows = [(kind, row) for kind in _INTERACTION for row in _rows(batch, kind)]
    interactions = {_cell(kind, row, _INTERACTION[kind]) for kind, row in rows}
    interactions.update(example for alert in _alerts(batch) for example in alert["examples"])
    sessions = {_cell(kind, row, "session_id") for kind, row in rows}
    users = {_user(row) for row in _rows(batch, "interaction")}
    return Names(*(frozenset(some - {None}) for some in (interactions, sessions, users)))


def _following(batch: Batch, forgotten: Names) -> Iterator[str]:
    for row in _rows(batch, "interaction"):
        name = _cell("interaction", row, "id")
        session = _cell("interaction", row, "session_id")
        theirs = session in forgotten.sessions or _user(row) in forgotten.users
        if theirs and name not in forgotten.interactions:
            yield name


def _leave_out(batch: Batch, forgotten: Names) -> None:
    def kept(kind: Kind, columns: Iterable[str]) -> Iterator[Row | None]:
        for row in _rows(batch, kind):
            yield _emptied(kind, row, columns) if _belongs(kind, row, forgotten) else row

    _replace(batch, "interaction", "forgotten", kept("interaction", (*_TEXTS["interaction"], "labels")))
    _replace(batch, "feedback", "forgotten", kept("feedback", _TEXTS["feedback"]))
    vectors = _rows(batch, "embedding")
    stay = (None if _belongs("embedding", row, forgotten) else row for row in vectors)
    _replace(batch, "embedding", "forgotten", stay)
    for alert in _alerts(batch):
        examples = tombstones.keep(alert["examples"], forgotten)
        if examples != alert["examples"]:
            _amend(batch, alert, "forgotten", examples=examples, words=[])


def _belongs(kind: Kind, row: Row, forgotten: Names) -> bool:
    if _cell(kind, row, _INTERACTION[kind]) in forgotten.interactions:
        return True
    return _cell(kind, row, "session_id") in forgotten.sessions


def _replace(batch: Batch, kind: Kind, reason: str, changed: Iterable[Row | None]) -> None:
    """Put the changed rows in the place of those there are, None for none, and count those that differ."""
    table, before = LOGS[kind].name, _rows(batch, kind)
    after = list(changed)
    count = sum(new is not old for old, new in zip(before, after, strict=True))
    if count:
        batch.rows[table] = [row for row in after if row is not None]
        batch.withheld[table, reason] += count


def _amend(batch: Batch, alert: dict[str, Any], reason: str, **values: list[str]) -> None:
    alert.update(values)
    alert["alert"] = Jsonb(alert["alert"].obj | values)
    batch.withheld["drift_events", reason] += 1


def _emptied(kind: Kind, row: Row, columns: Iterable[str]) -> Row:
    """The row with nothing in those columns; itself if there was nothing."""
    places = {_PLACES[kind][name] for name in columns}
    if all(row[place] is None for place in places):
        return row
    return tuple(None if place in places else cell for place, cell in enumerate(row))


def _judged(row: Row) -> Row:
    """An evaluation that says whether the answer was right, if its texts do."""
    place = _PLACES["evaluation"]["correct"]
    expected, predicted = (_cell("evaluation", row, name) for name in ("expected", "predicted"))
    if row[place] is not None or expected is None or predicted is None:
        return row
    return (*row[:place], expected == predicted, *row[place + 1 :])


def _rows(batch: Batch, kind: Kind) -> list[Row]:
    return batch.rows.get(LOGS[kind].name, [])


def _alerts(batch: Batch) -> list[dict[str, Any]]:
    return batch.rows.get("drift_events", [])


def _cell(kind: Kind, row: Row, column: str) -> Any:
    return row[_PLACES[kind][column]]


def _user(row: Row) -> str | None:
    labels = _cell("interaction", row, "labels")
    return labels.get(USER_LABEL) if labels else None
