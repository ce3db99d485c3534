"""Erases what was said by somebody, and sees to it that it does not come back."""

from collections import Counter
from collections.abc import Callable

import msgspec
from psycopg.sql import Identifier

from drift_aware.sql import tombstones
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from drift_aware.sql.tombstones import Names


class Erased(msgspec.Struct, frozen=True):
    """What an erasure did.

    Attributes:
        names: how many interactions, sessions and users are forgotten by it, those known before included.
        new: how many of them were not forgotten before.
        rows: table to rows that lost texts or examples, or, in ``embeddings_log``, are gone.
    """

    names: int
    new: int
    rows: dict[str, int]


def forget(connection: Connection, who: Names, *, dry_run: bool = False) -> Erased:
    """Forget some users, sessions and interactions, and all that belongs to them; again it changes nothing.

    A user's sessions go too, unless another user is named in them, and the interactions of every session.

    Args:
        connection: in autocommit mode. The names enter in short transactions of their own.
        who: as the log tables have them.
        dry_run: find out what it would do, and undo it.
    """
    if not dry_run:
        return _forget(connection, who, tombstones.enter)
    with connection.transaction(force_rollback=True):
        return _forget(connection, who, _enter_unseen)


def _enter_unseen(connection: Connection, names: Names) -> int:
    # Nobody will see them, so nobody has to wait.
    return connection.execute(QUERIES["forget_names"], names.pairs()).rowcount


def _forget(connection: Connection, who: Names, enter: Callable[[Connection, Names], int]) -> Erased:
    """Each step finds what the one before let nobody add to."""
    new = 0
    with connection.transaction():
        new += enter(connection, who)
    for find in (_sessions, _interactions):
        who |= find(connection, who)
        with connection.transaction():
            new += enter(connection, who)
    with connection.transaction():
        rows = erase(connection, who)
    return Erased(len(who.pairs()["ids"]), new, rows)


def _sessions(connection: Connection, who: Names) -> Names:
    if not who.users:
        return tombstones.NOBODY
    rows = connection.execute(QUERIES["sessions_of_users"], who.lists())
    return Names(sessions=frozenset(session for (session,) in rows))


def _interactions(connection: Connection, who: Names) -> Names:
    if not who.users and not who.sessions:
        return tombstones.NOBODY
    rows = connection.execute(QUERIES["interactions_of"], who.lists())
    return Names(interactions=frozenset(interaction for (interaction,) in rows))


def erase(connection: Connection, who: Names) -> dict[str, int]:
    """Erase what is stored of interactions and sessions whose names are entered; rows changed by table."""
    rows: Counter[str] = Counter()

    def run(table: str, statement: str) -> None:
        query = QUERIES[statement].format(table=Identifier(table))
        rows[table] += connection.execute(query, who.lists()).rowcount

    if who.interactions:
        run("interaction_log", "erase_interactions")
        run("embeddings_log", "erase_embeddings")
        run("feedback_log", "erase_comments")
        for table in ("drift_events", "action_log"):  # they hold alerts, which show examples
            run(table, "erase_examples")
    if who.sessions:
        run("embeddings_log", "erase_embeddings_of_sessions")
        run("feedback_log", "erase_comments_of_sessions")
    return dict(rows)
