"""What can go wrong with actions, below the project's tree.

DriftAwareError
├── UnknownAction      the ledger has no action of that id
├── CoolingDown        somebody asks for an action too soon after the last one
└── KeyReused          an idempotency key comes a second time, with another request
"""

from drift_aware.schema.errors import DriftAwareError


class UnknownAction(DriftAwareError):
    """The ledger has no action of that id."""


class CoolingDown(DriftAwareError):
    """Somebody asks for an action too soon after the last one."""


class KeyReused(DriftAwareError):
    """An idempotency key comes a second time, with another request."""
