"""What can go wrong with the database, below the project's tree.

DriftAwareError
├── MigrationError          the schema and the migrations disagree; a person has to look
├── DatabaseRefused         Postgres refuses a statement, a right is missing; a person has to look
└── Unreachable
    ├── DatabaseUnreachable     Postgres does not answer; retried
    └── Fenced                  another process moved the position first; rolled back, joined anew
"""

from drift_aware.schema.errors import DriftAwareError, Unreachable


class MigrationError(DriftAwareError):
    """The schema and the migrations disagree."""


class DatabaseRefused(DriftAwareError):
    """Postgres refuses a statement; trying again would not help."""


class DatabaseUnreachable(Unreachable):
    """Postgres does not answer."""


class Fenced(Unreachable):
    """Another process has moved a position since it was read here; nothing of this batch was written."""
