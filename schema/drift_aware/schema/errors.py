"""What can go wrong, as one tree.

DriftAwareError
├── SettingsError      a setting is missing, unknown or wrong; the command stops at once (exit 2)
├── RecordsLost        Kafka deleted records before they were read; a person has to decide
├── Unreachable        a service does not answer; the command stops or retries, nothing is lost (exit 1)
│   ├── Refused        it answers, but a login or a certificate is not accepted
│   └── KafkaTrouble   Kafka answers with an error that may pass; retried
└── BadEvent           one event cannot be used; it is dead-lettered with its reason, the rest goes on

A role adds its own errors below one of these. The message of every error says what to do.
"""


class DriftAwareError(Exception):
    """The base of every error this project raises on purpose."""

    exit_code = 1


class SettingsError(DriftAwareError):
    """A setting is missing, unknown or wrong."""

    exit_code = 2


class Unreachable(DriftAwareError):
    """Kafka or Postgres does not answer."""


class Refused(Unreachable):
    """Kafka is there, but a login or a certificate is not accepted, by it or by us."""


class KafkaTrouble(Unreachable):
    """Kafka answers with an error that may pass."""


class RecordsLost(DriftAwareError):
    """Kafka no longer has the record a consumer has to go on with."""


class BadEvent(DriftAwareError):
    """One event cannot be used.

    Attributes:
        reason: a short fixed word for headers and metrics, for instance ``not_json`` or ``bad_vector``.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
