"""Who is forgotten. A name enters first and what it names is erased after, so an erasure cut short goes on.

Whoever stores rows shares a lock from the look at the names to the end of its transaction; whoever enters a
name holds it alone. So a transaction that has not seen a name has ended before the name is there, and what
it stored is there to be erased; every later one sees the name.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from drift_aware.schema.alerts import Alert
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# The label of an interaction that says whose it is.
USER_LABEL = "user"


@dataclass(frozen=True, slots=True)
class Names:
    """Ids of interactions and of sessions, and names of users: the label ``user`` of an interaction."""

    interactions: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    def __or__(self, other: "Names") -> "Names":
        return Names(
            self.interactions | other.interactions, self.sessions | other.sessions, self.users | other.users
        )

    def pairs(self) -> dict[str, list[str]]:
        """What and which, as two lists for a statement."""
        pairs = [
            *(("interaction", each) for each in sorted(self.interactions)),
            *(("session", each) for each in sorted(self.sessions)),
            *(("user", each) for each in sorted(self.users)),
        ]
        return {"whats": [what for what, _ in pairs], "ids": [each for _, each in pairs]}

    def lists(self) -> dict[str, list[str]]:
        """Each by its name, for a statement."""
        return {
            "interactions": sorted(self.interactions),
            "sessions": sorted(self.sessions),
            "users": sorted(self.users),
        }


NOBODY = Names()


def anybody(connection: Connection) -> bool:
    """Whether there is anybody to look up; none can be added before the transaction ends."""
    connection.execute(QUERIES["share_forgotten"])
    return connection.execute(QUERIES["anybody_forgotten"]).fetchone() == (True,)


def look_up(connection: Connection, names: Names) -> Names:
    """Those of the names that are forgotten; ask ``anybody`` first, in the same transaction."""
    found = connection.execute(QUERIES["which_forgotten"], names.pairs()).fetchall()

    def those(what: str) -> frozenset[str]:
        return frozenset(name for kind, name in found if kind == what)

    return Names(those("interaction"), those("session"), those("user"))


def enter(connection: Connection, names: Names) -> int:
    """Forget the names from here on, in the transaction at hand; how many were not forgotten before.

    Waits until every transaction that stores rows has ended, so keep the transaction short. Where two that
    share the lock both get here, Postgres ends one of them, which then begins again.
    """
    connection.execute(QUERIES["close_forgotten"])
    return connection.execute(QUERIES["forget_names"], names.pairs()).rowcount


def without_forgotten(connection: Connection, alert: Alert) -> Alert:
    """The alert without the examples that are forgotten, and then without its words."""
    if not alert.examples or not anybody(connection):
        return alert
    kept = keep(alert.examples, look_up(connection, Names(frozenset(alert.examples))))
    return alert if kept == alert.examples else msgspec.structs.replace(alert, examples=kept, words=[])


def keep(examples: Iterable[str], forgotten: Names) -> list[str]:
    """The examples that are not forgotten."""
    return [example for example in examples if example not in forgotten.interactions]
