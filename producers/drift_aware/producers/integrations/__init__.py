"""Publishing from where calls of models are made already.

    client = watch(OpenAI(), publisher)

Importing this imports no library of a provider.
"""

from drift_aware.producers.integrations.context import about
from drift_aware.producers.integrations.watching import interaction_id, watch

__all__ = ["about", "interaction_id", "watch"]
