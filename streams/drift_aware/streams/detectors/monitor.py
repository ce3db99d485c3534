"""The life of one monitored metric: learning, armed, in alarm, armed again.

Armed, it collects evidence of a change on the time it is granted and absorbs what is calm. When the evidence
reaches the budget it raises an alarm: what was learned since the change began is taken back, learning stops,
and from then on it collects the reverse evidence, that the metric is back where it was. When that reaches the
budget too, the alarm is over and everything begins again. So one drift is one alarm, however long it lasts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from drift_aware.streams.detectors.channel import Channel
from drift_aware.streams.detectors.contract import Pane
from drift_aware.streams.evidence import Evidence, log_mean_exp

DAY_MS = 86_400_000
_MOST_RATIO = 27.0  # as a power of e: more than 10**11 budgets is said as that


class Alarm(msgspec.Struct, array_like=True):
    """An alarm that is not over.

    Attributes:
        channel, alternative: what carried the evidence.
        onset: event time at which the change began, as far as one can tell, milliseconds.
        log_sum: ln of the evidence that raised it, in milliseconds.
        log_back: the same of the evidence that the metric is back.
    """

    channel: int
    alternative: int
    onset: int
    log_sum: float
    log_back: float


class MonitorState(msgspec.Struct, array_like=True):
    """A ``Monitor`` in bytes."""

    end: int
    granted: float
    log_sums: list[bytes]
    cusums: list[bytes]
    zero_at: list[list[int]]
    channels: list[bytes]
    alarm: Alarm | None


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(MonitorState).decode


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a monitor makes of a pane.

    Attributes:
        ready: whether it has learned enough to say anything.
        ratio: the evidence as a multiple of the budget; at one it is an alarm.
        days: the same as a time: by chance alone it would come once in so many days, or more seldom.
        alarm: the alarm that is not over, or None.
        channel: the channel that leads.
    """

    ready: bool
    ratio: float
    days: float
    alarm: Alarm | None
    channel: str


class Monitor:
    """One metric of one segment.

    Args:
        channels: its ways to change; the evidence is the mean over them.
        budget_ms: event time per false alarm.

    Attributes:
        alarm: the alarm that is not over.
    """

    def __init__(self, channels: Sequence[Channel], budget_ms: float) -> None:
        self._channels = channels
        self._budget_ms, self._log_budget = budget_ms, math.log(budget_ms)
        self._evidence = [Evidence(channel.alternatives) for channel in channels]
        self._zero_at = [np.zeros(channel.alternatives, np.int64) for channel in channels]
        self._end, self._granted = 0, 0.0
        self.alarm: Alarm | None = None

    def update(self, pane: Pane) -> Verdict:
        """Take a closed pane. Panes come in the order of event time, each once."""
        log_sum = self._seek_recovery(pane) if self.alarm is not None else self._seek_change(pane)
        ratio = math.exp(min(log_sum - self._log_budget, _MOST_RATIO))
        leading = self.alarm.channel if self.alarm is not None else self._leading()
        return Verdict(
            ready=any(channel.ready for channel in self._channels),
            ratio=ratio,
            days=ratio * self._budget_ms / DAY_MS,
            alarm=self.alarm,
            channel=self._channels[leading].name,
        )

    def dump(self) -> bytes:
        """What must be kept."""
        return _pack(
            MonitorState(
                self._end,
                self._granted,
                [evidence.log_sums.tobytes() for evidence in self._evidence],
                [evidence.cusums.tobytes() for evidence in self._evidence],
                [zero_at.tolist() for zero_at in self._zero_at],
                [channel.dump() for channel in self._channels],
                self.alarm,
            )
        )

    def load(self, packed: bytes) -> None:
        """Go on from what was kept."""
        state = _unpack(packed)
        self._end, self._granted, self.alarm = state.end, state.granted, state.alarm
        self._zero_at = [np.array(zero_at, np.int64) for zero_at in state.zero_at]
        for evidence, sums, cusums in zip(self._evidence, state.log_sums, state.cusums, strict=True):
            evidence.log_sums, evidence.cusums = np.frombuffer(sums).copy(), np.frombuffer(cusums).copy()
        for channel, kept in zip(self._channels, state.channels, strict=True):
            channel.load(kept)

    def _seek_change(self, pane: Pane) -> float:
        found = [channel.increments(pane) for channel in self._channels]
        if all(increments is None for increments in found):
            return self._log_mean()  # the time granted meanwhile is not lost
        granted = pane.granted_ms - self._granted if self._end else 0.0
        if not self._end:
            self._begin_at(pane.start)
        self._granted, self._end = pane.granted_ms, pane.end
        for index, (channel, increments) in enumerate(zip(self._channels, found, strict=True)):
            zero = np.ones(channel.alternatives, np.bool_)
            if channel.ready:
                nothing = np.zeros(channel.alternatives)
                zero = self._evidence[index].add(nothing if increments is None else increments, granted)
            self._zero_at[index][zero] = pane.end
            if increments is not None:
                channel.learn(pane, zero)
        log_mean = self._log_mean()
        if log_mean >= self._log_budget:
            self._raise_alarm(log_mean)
        return log_mean

    def _begin_at(self, moment: int) -> None:
        """Nothing that is found from now on is said to have begun earlier."""
        for zero_at in self._zero_at:
            zero_at[:] = moment

    def _raise_alarm(self, log_sum: float) -> None:
        leading = self._leading()
        alternative = self._evidence[leading].leading
        onset = int(self._zero_at[leading][alternative])
        self.alarm = Alarm(leading, alternative, onset, log_sum, -math.inf)
        for channel, evidence in zip(self._channels, self._evidence, strict=True):
            channel.roll_back(evidence.leading)
            evidence.clear()

    def _seek_recovery(self, pane: Pane) -> float:
        assert self.alarm is not None
        channel = self._channels[self.alarm.channel]
        if channel.increments(pane) is None:
            return self.alarm.log_sum
        passed, self._end = pane.end - self._end, pane.end
        self.alarm.log_back = float(np.logaddexp(self.alarm.log_back, math.log(max(passed, 1))))
        self.alarm.log_back += channel.recovery(pane, self.alarm.alternative)
        if self.alarm.log_back >= self._log_budget:
            self.alarm = None
            self._granted = pane.granted_ms
            self._begin_at(pane.end)
            return -math.inf
        return self.alarm.log_sum

    def _log_mean(self) -> float:
        means = [evidence.log_mean for evidence in self._evidence]
        return means[0] if len(means) == 1 else log_mean_exp(np.array(means))

    def _leading(self) -> int:
        if len(self._evidence) == 1:
            return 0
        return int(np.argmax([evidence.log_mean for evidence in self._evidence]))
