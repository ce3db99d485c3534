"""Evidence of a change, collected pane by pane: Shiryaev-Roberts e-detectors on a budget of event time.

A detector spreads its bets over several alternatives. For each it keeps a sum Q over all moments at which the
change may have begun, of the likelihood ratio since then:

    Q <- (Q + granted) * exp(log likelihood ratio of the pane)

``granted`` is the share of the elapsed event time that this detector was given (``budget``). While nothing
has changed, the expectation of the mean Q is at most the time granted so far, whatever the dependence between
detectors. So if all of them together are granted no more than the time that passes, and each raises an alarm
when its mean Q reaches B, then by time t at most t / B false alarms are expected (Shin, Ramdas and Rinaldo,
"E-detectors", NEJSDS 2023, https://doi.org/10.51387/23-NEJSDS51).
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# exp() of more overflows; one pane alone is never given more than that.
_MOST = 600.0


class Evidence:
    """The sums of one detector channel, in logarithms of milliseconds.

    Attributes:
        log_sums: of each alternative ln Q, shape (k,); minus infinity at the start.
        cusums: of each alternative max(0, cusum + increment), shape (k,): where it was last zero is the most
            likely beginning of a change (Page 1954).

    >>> evidence = Evidence(1)
    >>> for _ in range(3):
    ...     _ = evidence.add(np.array([math.log(2)]), granted_ms=1.0)
    >>> round(math.exp(evidence.log_mean))
    14
    """

    def __init__(self, alternatives: int) -> None:
        self.log_sums: Floats = np.full(alternatives, -np.inf)
        self.cusums: Floats = np.zeros(alternatives)

    @property
    def log_mean(self) -> float:
        """Logarithm of the mean over the alternatives."""
        return log_mean_exp(self.log_sums)

    @property
    def leading(self) -> int:
        """The alternative with the largest sum."""
        return int(np.argmax(self.log_sums))

    def add(self, increments: Floats, granted_ms: float) -> NDArray[np.bool_]:
        """Take one pane.

        Args:
            increments: log likelihood ratio of each alternative against no change, shape (k,).
            granted_ms: event time granted since the last pane.

        Returns:
            Which CUSUMs are zero now, shape (k,).
        """
        increments = np.clip(increments, -_MOST, _MOST)
        if granted_ms > 0:
            self.log_sums = np.logaddexp(self.log_sums, math.log(granted_ms))
        self.log_sums = self.log_sums + increments
        self.cusums = np.maximum(0.0, self.cusums + increments)
        zero: NDArray[np.bool_] = self.cusums == 0.0
        return zero

    def clear(self) -> None:
        """Begin again with no evidence."""
        self.log_sums[:] = -np.inf
        self.cusums[:] = 0.0


def log_mean_exp(logs: Floats) -> float:
    """Ln of the mean of exp, without overflow; minus infinity of nothing but minus infinities.

    >>> round(math.exp(log_mean_exp(np.log(np.array([1.0, 3.0])))), 6)
    2.0
    """
    largest = float(np.max(logs))
    if largest == -math.inf:
        return -math.inf
    return largest + math.log(float(np.mean(np.exp(logs - largest))))
