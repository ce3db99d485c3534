"""The ledger of policies: rows of ``policy``, one per version, each with the way back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace
from psycopg.types.json import Jsonb

from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executor import Job
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.policies import EVERY_APP, Part, Policy, in_force
from drift_aware.sql.export import dimensions_of
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# Told what holds now, what is to hold: part to value.
Decide = Callable[[Policy], Mapping[Part, Any]]


class Held(msgspec.Struct, frozen=True):
    """What a part says: its value until a time in milliseconds, and what it says after that, if it ends."""

    value: Any = None
    until: int | None = None
    afterwards: Any = None


@dataclass(frozen=True)
class Change:
    """A version of a policy, and the parts it has changed as they were before."""

    policy: Policy
    before: Mapping[Part, Held]


@dataclass(frozen=True)
class Wish:
    """Who wants a policy changed.

    Attributes:
        key: the same for every try of one change.
        app: ``*`` for all.
        action_id: None if somebody asks by hand.
    """

    key: str
    app: str
    reason: str
    action_id: str | None = None


def app_of(segment: str) -> str:
    """The application whose policy a segment is under; ``*`` if the segment names none.

    Raises:
        ActionFailed: the segment is what is left over of many applications.
    """
    try:
        return dimensions_of(segment).get("app", EVERY_APP)
    except SettingsError:
        raise ActionFailed(f"the segment {segment} is of many applications; act on each by itself") from None


def wish(job: Job, step: str, reason: str) -> Wish:
    """The wish of an action's step, for the application of its segment.

    Raises:
        ActionFailed: the segment is of many applications.
    """
    return Wish(job.key(step), app_of(job.action.segment), reason, job.action.id)


def current(connection: Connection, app: str) -> Policy:
    """What is said to an application itself; version 0 says nothing."""
    found = _read(connection, "current_policy", {"app": app})
    return found.policy if found else Policy(app=app)


def effective(connection: Connection, app: str, now_ms: int, defaults: Policy) -> Policy:
    """What holds for an application: its own policy, that for all, then the defaults."""
    layers = [current(connection, name) for name in dict.fromkeys((app, EVERY_APP))]
    return in_force([*layers, defaults], now_ms)


def find(connection: Connection, key: str) -> Change | None:
    """What a change has led to; None if it was never entered."""
    return _read(connection, "find_policy", {"key": key})


def change(
    connection: Connection, wanted: Wish, decide: Decide, *, now_ms: int, until: int | None = None
) -> Change:
    """Enter the next version of an application's policy, once for each key.

    Args:
        connection: in autocommit mode.
        wanted: whose policy, why, and the key.
        decide: asked under a lock for what is to change.
        now_ms: the time, milliseconds.
        until: when the changed parts expire; None is never.
    """
    with connection.transaction():
        connection.execute(QUERIES["lock_policy"], {"app": wanted.app})
        if (found := find(connection, wanted.key)) is not None:
            return found
        parts = decide(effective(connection, wanted.app, now_ms, Policy(app=wanted.app)))
        now = current(connection, wanted.app)
        return _enter(
            connection,
            wanted,
            {
                name: Held(value, until, _lasting(now, name) if until is not None else None)
                for name, value in parts.items()
            },
        )


def restore(connection: Connection, wanted: Wish, undone: str) -> Change | None:
    """Put back what a change has changed; what others have changed since stays as they want it.

    Args:
        connection: in autocommit mode.
        wanted: whose policy, why, and a key of its own.
        undone: the key of the change.

    Returns:
        The new version; None if nothing of the change is left, or it was never made.
    """
    with connection.transaction():
        connection.execute(QUERIES["lock_policy"], {"app": wanted.app})
        if (found := find(connection, wanted.key)) is not None:
            return found
        made = find(connection, undone)
        if made is None:
            return None
        now = current(connection, wanted.app)
        left = {
            name: held for name, held in made.before.items() if _held(now, name) == _held(made.policy, name)
        }
        return _enter(connection, wanted, left) if left else None


def unpublished(connection: Connection, limit: int) -> list[Policy]:
    """Up to ``limit`` policies Kafka does not have yet, each at its latest; none if another publishes them.

    Args:
        connection: in the transaction that publishes and marks them.
        limit: how many.
    """
    if connection.execute(QUERIES["lock_policy_outbox"]).fetchone() != (True,):
        return []
    rows = connection.execute(QUERIES["unpublished_policies"], {"limit": limit}).fetchall()
    return [msgspec.convert(row[0], Policy) for row in rows]


def mark_published(connection: Connection, policy: Policy) -> None:
    """Note that Kafka has this version."""
    connection.execute(QUERIES["mark_policy_published"], {"app": policy.app, "version": policy.version})


def _enter(connection: Connection, wanted: Wish, parts: Mapping[Part, Held]) -> Change:
    now = current(connection, wanted.app)
    before = {name: _held(now, name) for name in parts}
    expires = {name: until for name, until in now.expires.items() if name not in parts}
    expires |= {name: held.until for name, held in parts.items() if held.until is not None}
    afterwards = {name: value for name, value in now.afterwards.items() if name not in parts}
    afterwards |= {name: held.afterwards for name, held in parts.items() if held.afterwards is not None}
    values: dict[str, Any] = {name: held.value for name, held in parts.items()}
    policy = replace(
        now,
        **values,
        version=now.version + 1,
        expires=expires,
        afterwards=afterwards,
        reason=wanted.reason,
        action_id=wanted.action_id,
    )
    given = {
        "app": wanted.app,
        "version": policy.version,
        "key": wanted.key,
        "policy": Jsonb(msgspec.to_builtins(policy)),
        "before": Jsonb(msgspec.to_builtins(before)),
    }
    connection.execute(QUERIES["enter_policy"], given)
    return Change(policy, before)


def _held(policy: Policy, name: Part) -> Held:
    return Held(getattr(policy, name), policy.expires.get(name), policy.afterwards.get(name))


def _lasting(policy: Policy, name: Part) -> Any:
    """What a part says that is not limited in time."""
    return policy.afterwards.get(name) if name in policy.expires else getattr(policy, name)


def _read(connection: Connection, query: str, given: Mapping[str, Any]) -> Change | None:
    row = connection.execute(QUERIES[query], given).fetchone()
    if row is None:
        return None
    return Change(msgspec.convert(row[0], Policy), msgspec.convert(row[1], dict[Part, Held]))
