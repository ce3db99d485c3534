"""What can go wrong with actions, below the project's tree.

DriftAwareError
└── UnknownAction      the ledger has no action of that id
"""

from drift_aware.schema.errors import DriftAwareError


class UnknownAction(DriftAwareError):
    """The ledger has no action of that id."""
