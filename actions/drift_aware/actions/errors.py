"""What can go wrong with actions, below the project's tree.

DriftAwareError
├── UnknownAction      the ledger has no action of that id
├── CoolingDown        somebody asks for an action too soon after the last one
├── KeyReused          an idempotency key comes a second time, with another request
├── OutOfTurn          the action stands where this cannot follow
├── LeaseLost          another process carries the action out now
├── ActionFailed       an action cannot be carried out, or not be taken back
│   ├── OverBudget     the day's budget for providers is spent
│   └── Declined       a provider does not take this one thing; it may take others
└── Unknown            nobody can tell whether a step has had its effect
"""

from drift_aware.schema.errors import DriftAwareError


class UnknownAction(DriftAwareError):
    """The ledger has no action of that id."""


class CoolingDown(DriftAwareError):
    """Somebody asks for an action too soon after the last one."""


class KeyReused(DriftAwareError):
    """An idempotency key comes a second time, with another request."""


class OutOfTurn(DriftAwareError):
    """The action stands where this cannot follow; the message says where it stands."""


class LeaseLost(DriftAwareError):
    """Another process carries the action out now; what this one was about to write is not written."""


class ActionFailed(DriftAwareError):
    """An action cannot be carried out, or not be taken back; the message says what to do."""


class OverBudget(ActionFailed):
    """The day's budget for providers is spent."""


class Declined(ActionFailed):
    """A provider does not take this one thing; it may take others."""


class Unknown(DriftAwareError):
    """Nobody can tell whether a step has had its effect; a person has to look."""
