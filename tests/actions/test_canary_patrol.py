"""Round after round on a broker, with an endpoint over HTTP and a clock that is set."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import pytest
import stamina
from prometheus_client import CollectorRegistry

from drift_aware.actions.canary import story
from drift_aware.actions.canary.asking import endpoints
from drift_aware.actions.canary.book import Book
from drift_aware.actions.canary.patrol import Patrol
from drift_aware.schema.alerts import Alert
from drift_aware.schema.canaries import Canary
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.events import Embedding, Evaluation, is_canary
from drift_aware.schema.metrics import CanaryMetrics
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import ALERTS, EMBEDDINGS, EVALUATIONS
from rig.brokers import Broker
from rig.configuration import make_settings
from rig.provider import KEY, Provider
from rig.records import records
from rig.services import wait_until
from rig_events import NOON

HOUR = 3600.0
LEARN = 3
PROMPTS = [{"name": name, "prompt": f"What is {name}?", "expected": "Paris"} for name in "abc"]
TEXTS = ["one", "two", "three", "four"]


@dataclass
class Desk:
    """A patrol that is on its way.

    Attributes:
        now: seconds since 1970.
    """

    broker: Broker
    provider: Provider
    settings: Settings
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    now: float = NOON / 1000

    @contextmanager
    def patrol(self) -> Iterator[Callable[[], list[Canary]]]:
        """A process of its own; each call is an hour later."""
        self.registry = CollectorRegistry()
        with Book(self.settings) as book:
            go = Patrol(
                self.settings, book, endpoints(self.settings), CanaryMetrics(self.registry), lambda: self.now
            )

            def turn() -> list[Canary]:
                self.now += HOUR
                return go.turn()

            wait_until(lambda: _has_turn(book), 30, "the turn")
            yield turn

    def rounds(self, number: int) -> list[Canary]:
        with self.patrol() as turn:
            return [canary for _ in range(number) for canary in turn()]

    def alerts(self) -> list[Alert]:
        found = records(self.broker.bootstrap, ALERTS.name)
        return [msgspec.json.decode(each.value, type=Alert) for each in found]

    def evaluations(self) -> list[Evaluation]:
        found = records(self.broker.bootstrap, EVALUATIONS.name)
        return [each for one in found for each in one.events("evaluation") if isinstance(each, Evaluation)]

    def embeddings(self) -> list[Embedding]:
        found = records(self.broker.bootstrap, EMBEDDINGS.name)
        return [each for one in found for each in one.events("embedding") if isinstance(each, Embedding)]

    def shown(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"drift_aware_canary_{name}", labels)


def _has_turn(book: Book) -> bool:
    book.wait(0.1)
    return book.mine


@pytest.fixture
def desk(broker: Broker) -> Iterator[Desk]:
    with Provider() as provider:
        provider.answers["small"] = lambda _: "It is Paris."
        yield Desk(broker, provider, configured(broker, provider))


@pytest.fixture
def impatient() -> Iterator[None]:
    stamina.set_testing(True, attempts=1)
    yield
    stamina.set_testing(False)


def configured(broker: Broker, provider: Provider, **more: object) -> Settings:
    endpoint = {"base_url": provider.url, "api_key": KEY, "model": "small"}
    canary = {
        "learn_probes": LEARN,
        "chat": endpoint | {"prompts": PROMPTS},
        "embedding": endpoint | {"texts": TEXTS},
    }
    return make_settings(broker.bootstrap, canary=canary | more, prices=PRICES)


PRICES = {"small": {"input_per_million": 1, "output_per_million": 2, "embedding_per_million": 0.1}}


def swap(provider: Provider) -> None:
    provider.reported = "other"
    provider.answers["small"] = lambda _: "Bien sûr: Paris."
    provider.vectors = lambda text: [-float(len(text)), 1.0]


def test_a_swap_is_an_alert_on_the_topic_and_survives_restarts(desk: Desk) -> None:
    desk.rounds(LEARN)
    desk.rounds(2)
    assert desk.alerts() == []
    swapped = round((desk.now + HOUR) * 1000)
    swap(desk.provider)
    desk.rounds(1)
    desk.rounds(1)
    fired = {alert.metric: alert for alert in desk.alerts()}
    assert fired.keys() == {"canary_answers", "canary_embedding"}
    for alert in fired.values():
        assert (alert.status, alert.revision, alert.onset, alert.segment) == ("firing", 1, swapped, "all")
        assert alert.summary.endswith("the API now reports model other, not small.")
    assert fired["canary_embedding"].summary.startswith("4 of 4 fixed strings have moved since 2026-03-01")
    assert fired["canary_answers"].summary.startswith("3 of 3 golden prompts are answered differently since")


def test_every_answer_is_an_event_that_says_it_is_a_canary(desk: Desk) -> None:
    desk.rounds(LEARN + 1)
    evaluations, embeddings = desk.evaluations(), desk.embeddings()
    assert len(evaluations) == (LEARN + 1) * len(PROMPTS)
    assert len(embeddings) == (LEARN + 1) * len(TEXTS)
    assert all(map(is_canary, evaluations))
    assert all(map(is_canary, embeddings))
    last = [event for event in evaluations if event.run_id == f"canary/{LEARN + 1}"]
    assert {event.eval_set for event in last} == {"canary/a", "canary/b", "canary/c"}
    assert {(event.predicted, event.correct, event.score, event.model) for event in last} == {
        ("It is Paris.", True, 1.0, "small")
    }
    assert {event.score for event in evaluations if event.run_id == "canary/1"} == {None}
    assert len({event.id for event in embeddings}) == len(embeddings)
    # One partition each: the other sources of the worker wait for no canary.
    assert len({record.partition for record in records(desk.broker.bootstrap, EMBEDDINGS.name)}) == 1


def test_a_round_that_was_cut_short_before_it_was_noted_is_repeated_under_the_same_ids(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise Unreachable("the process was killed")

    with monkeypatch.context() as patch:
        patch.setattr(Book, "write", dies)
        with pytest.raises(Unreachable):
            desk.rounds(1)
    desk.rounds(1)
    answered = [(event.eval_set, event.run_id) for event in desk.evaluations()]
    assert len(answered) == 2 * len(PROMPTS)
    assert len(set(answered)) == len(PROMPTS)


@pytest.mark.parametrize("same_process", [False, True])
def test_an_alert_that_was_noted_and_not_told_is_told_by_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, same_process: bool
) -> None:
    desk.rounds(LEARN)
    swap(desk.provider)

    def dies(_: Book, alerts: object) -> None:
        if list(alerts):  # type: ignore[call-overload]
            raise Unreachable("the process was killed")

    with desk.patrol() as turn:
        with monkeypatch.context() as patch:
            patch.setattr(Book, "tell", dies)
            turn()
            with pytest.raises(Unreachable):
                turn()
        assert desk.alerts() == []
        if same_process:
            turn()
    if not same_process:
        desk.rounds(1)
    assert {(alert.metric, alert.revision) for alert in desk.alerts()} == {
        ("canary_answers", 1),
        ("canary_embedding", 1),
    }


def test_a_restart_waits_for_the_hour_like_the_process_before_it(desk: Desk) -> None:
    desk.rounds(1)
    asked = len(desk.provider.requests)
    desk.now -= HOUR / 2
    assert desk.rounds(1) == []
    assert len(desk.provider.requests) == asked
    assert len(desk.rounds(1)) == 2


def test_a_second_process_waits_until_the_first_is_gone(desk: Desk) -> None:
    desk.rounds(1)
    with Book(desk.settings) as second:
        with Book(desk.settings) as first:
            # Whoever comes last may be given the partition; never do both have it.
            both = (first, second)
            wait_until(lambda: [_has_turn(each) for each in both].count(True) == 1, 60, "one turn")
            waiting = next(book for book in both if not book.mine)
            with pytest.raises(Unreachable, match="another canary"):
                waiting.latest()
            with pytest.raises(Unreachable, match="another canary"):
                waiting.write([])
        wait_until(lambda: _has_turn(second), 60, "the turn of the one that is left")
        assert second.latest().keys() == {"answers", "embedding"}


def test_what_is_accepted_in_the_middle_of_a_round_holds(desk: Desk) -> None:
    desk.rounds(LEARN)
    swap(desk.provider)
    desk.rounds(2)
    assert {alert.status for alert in desk.alerts()} == {"firing"}
    answers = desk.provider.answers["small"]
    accepted: list[Canary] = []

    def accepts_meanwhile(prompt: str) -> str:
        if not accepted:
            with Book(desk.settings, alone=False) as book:
                accepted.append(story.accept(book.latest()["answers"], round(desk.now * 1000)))
                book.write(accepted)
        return answers(prompt)

    desk.provider.answers["small"] = accepts_meanwhile
    [after] = [canary for canary in desk.rounds(1) if canary.id == "answers"]
    assert {probe.rounds for probe in after.probes} == {2}
    assert after.alert == accepted[0].alert
    assert not story.is_firing(after)


@pytest.mark.usefixtures("impatient")
def test_an_endpoint_that_does_not_answer_is_counted_and_asked_again_an_hour_later(desk: Desk) -> None:
    with desk.patrol() as turn:
        turn()
        desk.provider.faults["POST /embeddings"] = ["500"] * 3
        desk.provider.faults["POST /chat/completions"] = ["429"]
        assert turn() == []
        assert desk.shown("errors_total", canary="embedding") == 1
        # After one that nobody answers the rest of the round is left out.
        assert desk.shown("errors_total", canary="answers") == 1
        turn()
        turn()
        assert desk.shown("silent_rounds", canary="embedding") == 3
        assert desk.shown("silent_rounds", canary="answers") == 0
        assert [canary.round for canary in turn()] == [4, 2]
        assert desk.shown("silent_rounds", canary="embedding") == 0
    assert desk.alerts() == []


def test_a_round_beyond_the_budget_of_the_day_is_left_out(desk: Desk) -> None:
    # By the tokens counted a round of answers costs 0.00006 USD; it might cost 0.0004.
    desk.settings = configured(desk.broker, desk.provider, budget_usd_per_day=0.0005)
    with desk.patrol() as turn:
        answered = [sum(canary.id == "answers" for canary in turn()) for _ in range(10)]
        assert 0 < sum(answered) < 10
        assert answered == sorted(answered, reverse=True)
        assert desk.shown("rounds_left_out_total", canary="answers") == 10 - sum(answered)
        assert desk.shown("cost_usd_total", canary="answers") == pytest.approx(sum(answered) * 60e-6)
        desk.now += 12 * HOUR
        assert [canary.id for canary in turn()] == ["answers", "embedding"]
