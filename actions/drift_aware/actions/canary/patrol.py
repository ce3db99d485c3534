"""Round after round: ask, compare, publish, remember, tell.

Events come before the record that remembers the round, and the alert after it. A crash in between repeats the
round under the same number: its events have the same ids as those before, and whoever takes over tells every
latest alert again. So a round may be in the log of events twice, an alert is never lost, and each revision of
it says the same.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import structlog
from msgspec.structs import replace

from drift_aware.actions.canary import cost, story
from drift_aware.actions.canary.asking import Endpoint, Round
from drift_aware.actions.canary.book import Book
from drift_aware.actions.canary.goldens import Question
from drift_aware.actions.tune.exam import correct
from drift_aware.schema.canaries import Canary, CanaryId, Probe
from drift_aware.schema.events import Embedding, Evaluation
from drift_aware.schema.metrics import CanaryMetrics
from drift_aware.schema.settings import Settings

log = structlog.get_logger(__name__)


class Patrol:
    """Goes round.

    Args:
        settings: how often, how much it may cost, what models cost.
        book: what is remembered.
        endpoints: what is asked.
        metrics: where to count.
        now: the clock, seconds since 1970.
        stopped: whether to stop in the middle of a round, which then has not been.
    """

    def __init__(
        self,
        settings: Settings,
        book: Book,
        endpoints: Sequence[Endpoint],
        metrics: CanaryMetrics,
        now: Callable[[], float] = time.time,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings, self._book, self._endpoints = settings, book, endpoints
        self._metrics, self._now, self._stopped = metrics, now, stopped
        self._tried: dict[CanaryId, int] = {}
        self._silent: dict[CanaryId, int] = {}
        self._retold = False
        for endpoint in endpoints:
            for each in (metrics.rounds, metrics.errors, metrics.silent, metrics.left_out, metrics.cost):
                each.labels(endpoint.id)

    def turn(self, *, at_once: bool = False) -> list[Canary]:
        """Ask whom it is time to ask, if it is this process's turn.

        Args:
            at_once: ask, whenever the last round was.

        Returns:
            The endpoints that have answered, after their round.

        Raises:
            Unreachable: Kafka does not answer; what has not been confirmed is asked again.
        """
        if not self._book.mine:
            self._retold = False
            return []
        known = self._book.latest()
        if not self._retold:
            self._book.tell(each.alert for each in known.values() if each.alert is not None)
            self._retold = True
        now_ms = round(self._now() * 1000)
        due = [each for each in self._endpoints if at_once or self._is_due(each, known, now_ms)]
        rounds = [self._round(endpoint, now_ms) for endpoint in due if not self._stopped()]
        return [canary for canary in rounds if canary is not None]

    def _is_due(self, endpoint: Endpoint, known: dict[str, Canary], now_ms: int) -> bool:
        remembered = known[endpoint.id].ts if endpoint.id in known else 0
        last = max(remembered, self._tried.get(endpoint.id, 0))
        return now_ms - last >= self._settings.canary.every_minutes * 60_000

    def _round(self, endpoint: Endpoint, ts: int) -> Canary | None:
        self._tried[endpoint.id] = ts
        if not self._may_cost(endpoint, ts):
            return None
        found = endpoint.ask(self._stopped)
        if self._stopped():
            return None
        self._metrics.errors.labels(endpoint.id).inc(found.errors)
        self._note_silence(endpoint, found)
        return self._keep(endpoint, found, ts) if found.answered else None

    def _keep(self, endpoint: Endpoint, found: Round, ts: int) -> Canary:
        """Publish, remember and tell what has come back."""
        # Read once more: somebody may have accepted the answers in the meantime.
        before = self._book.latest().get(endpoint.id) or Canary(id=endpoint.id)
        after = self._paid(endpoint, story.follow(before, self._plan(endpoint), found, ts), found)
        self._book.publish(list(events(endpoint, after, found, self._settings.canary.learn_probes)))
        self._book.write([after])
        if after.alert is not None and after.alert != before.alert:
            log.warning(after.alert.summary, canary=after.id, status=after.alert.status)
            self._retold = False
            self._book.tell([after.alert])
            self._retold = True
        self._show(after)
        return after

    def _may_cost(self, endpoint: Endpoint, ts: int) -> bool:
        most = cost.most_usd(endpoint, self._settings.prices)
        budget = self._settings.canary.budget_usd_per_day
        if most is None or cost.spent_today(self._book.latest().values(), ts) + most <= budget:
            return True
        log.warning(
            "a round of the canary is left out: it may cost more than the day has left",
            canary=endpoint.id,
            most_usd=most,
            budget_usd=budget,
        )
        self._metrics.left_out.labels(endpoint.id).inc()
        return False

    def _paid(self, endpoint: Endpoint, canary: Canary, found: Round) -> Canary:
        usd = cost.spent_usd(endpoint, self._settings.prices, found) or 0.0
        self._metrics.cost.labels(endpoint.id).inc(usd)
        today = cost.day_of(canary.ts)
        before = canary.spent_usd if canary.day == today else 0.0
        return replace(canary, day=today, spent_usd=before + usd)

    def _plan(self, endpoint: Endpoint) -> story.Plan:
        settings = self._settings.canary
        return story.Plan(endpoint.model, endpoint.questions, settings.learn_probes, settings.every_minutes)

    def _note_silence(self, endpoint: Endpoint, found: Round) -> None:
        silent = 0 if found.answered else self._silent.get(endpoint.id, 0) + 1
        self._silent[endpoint.id] = silent
        self._metrics.silent.labels(endpoint.id).set(silent)
        if silent:
            log.error("nobody has answered the canary", canary=endpoint.id, rounds_in_a_row=silent)

    def _show(self, canary: Canary) -> None:
        counted = story.count(canary, self._settings.canary.learn_probes)
        steady, changed = len(counted.steady), len(counted.changed)
        self._metrics.rounds.labels(canary.id).inc()
        self._metrics.steady.labels(canary.id).set(steady)
        self._metrics.changed.labels(canary.id).set(changed / steady if steady else 0.0)
        if canary.id == "embedding":
            self._metrics.moved.set(max(probe.distance for probe in canary.probes))
        log.info(
            "canary",
            canary=canary.id,
            round=canary.round,
            steady=steady,
            changed=changed,
            model=canary.reported,
        )


def events(endpoint: Endpoint, canary: Canary, found: Round, learn: int) -> Iterator[Embedding | Evaluation]:
    """What a round publishes; the same round of the same probe has the same ids, however often it is asked.

    Args:
        endpoint: what was asked.
        canary: after the round.
        found: what came back.
        learn: rounds that make a reference; until then answers have no score.
    """
    probes = {probe.name: probe for probe in canary.probes}
    model = found.reported or endpoint.model
    for question in endpoint.questions:
        probe = probes[question.name]
        if (text := found.answers.get(question.name)) is not None:
            yield _evaluation(question, probe, text, canary, model, learn)
        if (vector := found.vectors.get(question.name)) is not None:
            yield Embedding(
                id=f"canary/{probe.digest}/{canary.round}",
                ts=canary.ts,
                vector=vector,
                model=model,
                canary=True,
            )


def _evaluation(
    question: Question, probe: Probe, text: str, canary: Canary, model: str, learn: int
) -> Evaluation:
    expected = question.expected
    return Evaluation(
        eval_set=f"canary/{question.name}",
        run_id=f"canary/{canary.round}",
        ts=canary.ts,
        expected=expected,
        predicted=text,
        correct=None if expected is None else correct("contains", expected, text),
        score=None if probe.rounds < learn else float(not probe.changed),
        model=model,
        canary=True,
    )
