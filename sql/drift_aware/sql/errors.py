"""What can go wrong with the database, below the project's tree.

DriftAwareError
├── MigrationError          the schema and the migrations disagree; a person has to look
├── DatabaseRefused         Postgres refuses a statement, a right is missing; a person has to look
├── RecordsLost             Kafka deleted records before they were read; a person has to decide
└── Unreachable
    ├── DatabaseUnreachable     Postgres does not answer; retried
    ├── KafkaTrouble            Kafka answers with an error; retried
    └── Fenced                  another process moved the position first; rolled back, joined anew
"""

from drift_aware.schema.errors import DriftAwareError, Unreachable


class MigrationError(DriftAwareError):
    """The schema and the migrations disagree."""


class DatabaseRefused(DriftAwareError):
    """Postgres refuses a statement; trying again would not help."""


class RecordsLost(DriftAwareError):
    """Kafka no longer has the record a consumer has to go on with."""


class DatabaseUnreachable(Unreachable):
    """Postgres does not answer."""


class KafkaTrouble(Unreachable):
    """Kafka answers with an error that may pass."""


class Fenced(Unreachable):
    """Another process has moved a position since it was read here; nothing of this batch was written."""
