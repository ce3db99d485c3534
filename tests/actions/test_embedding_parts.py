"""The parts of ``embed`` by themselves: which texts, what a day may cost, and unwilling providers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from drift_aware.actions.embedding.budget import Budget
from drift_aware.actions.embedding.choosing import Text, embedding, sampled, texts
from drift_aware.actions.embedding.models import Bill
from drift_aware.actions.embedding.models import Vectors as Rows
from drift_aware.actions.embedding.vectors import KEPT_TEXTS, ProviderAway, Stopping, Vectors
from drift_aware.actions.errors import ActionFailed, Declined, OverBudget
from drift_aware.actions.web import Passing
from drift_aware.schema.embed_settings import Embed
from drift_aware.schema.metrics import EmbedMetrics
from drift_aware.schema.reindexing import EmbeddingEndpoint
from rig_events import interaction

MODEL = EmbeddingEndpoint(
    kind="endpoint", base_url="http://127.0.0.1:1/v1", model="small", dimensions=2, batch_texts=8
)
HOME, OTHER = ("drift.interactions.v1", 0), ("drift.interactions.v1", 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def chosen(**values: Any) -> Embed:
    return Embed(embedding=MODEL, **values)


class Fake:
    """Makes vectors of the lengths of texts, a cent each; declines some, and fails now and then."""

    def __init__(self, declined: Sequence[str] = (), trouble: Iterable[Exception | None] = ()) -> None:
        self.asked: list[list[str]] = []
        self.made: Counter[str] = Counter()
        self._declined = set(declined)
        self._trouble = iter(trouble)

    def embed(self, texts: Sequence[str], bill: Bill) -> Rows:
        raise NotImplementedError

    def attempt(self, texts: Sequence[str], bill: Bill) -> Rows:
        bill.spend(0.01 * len(texts), "embedding")
        self.asked.append(list(texts))
        if (trouble := next(self._trouble, None)) is not None:
            raise trouble
        if self._declined & set(texts) or "*" in self._declined:
            raise Declined("too long")
        bill.spent(0.01 * len(texts), "embedding")
        self.made.update(texts)
        return np.array([[len(text), 1] for text in texts], dtype=np.float16)

    def close(self) -> None: ...


class Desk:
    """Vectors on a fake provider, and what they have cost."""

    def __init__(self, fake: Fake, usd_per_day: float | None = None, stopped: bool = False) -> None:
        self.paid: list[float] = []
        self.pauses: list[float] = []
        self.metrics = EmbedMetrics(CollectorRegistry())
        self.budget = Budget(usd_per_day, 1, self.paid.append, lambda: NOON)
        self.budget.assigned({HOME: {}})
        self.vectors = Vectors(MODEL, fake, self.budget, self._pause, self.metrics)
        self._stopped = stopped

    def _pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return self._stopped

    def of(self, *some: str) -> dict[str, str | bytes]:
        found = self.vectors.of((text, HOME) for text in some)
        return {text: vector.numbers or vector.missing for text, vector in found.items()}


def numbers(text: str) -> bytes:
    return np.array([len(text), 1], dtype="<f2").tobytes()


words = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True, max_size=30)


@given(words, st.data())
def test_every_text_has_its_vector_but_those_the_provider_refuses(
    some: list[str], data: st.DataObject
) -> None:
    refused = data.draw(st.sets(st.sampled_from(some))) if some else set()
    fake = Fake(sorted(refused - {"hello"}))
    desk = Desk(fake)
    found = desk.of(*some)
    assert found == {text: "refused" if text in refused - {"hello"} else numbers(text) for text in some}
    assert all(fake.made[text] == 1 for text in some if text not in refused and text != "hello")
    assert sum(desk.paid) == pytest.approx(0.01 * fake.made.total())


def test_a_provider_that_refuses_everything_is_no_matter_of_the_texts() -> None:
    with pytest.raises(Declined, match="too long"):
        Desk(Fake(["*"])).of("a", "b")


def test_texts_are_sent_in_batches_and_each_only_once() -> None:
    fake = Fake()
    desk = Desk(fake)
    some = [f"text {number}" for number in range(20)]
    desk.of(*some, *some)
    assert [len(asked) for asked in fake.asked] == [8, 8, 4]
    desk.of(*some, "new")
    assert fake.asked[-1] == ["new"]


def test_what_is_remembered_has_an_end() -> None:
    fake = Fake()
    desk = Desk(fake)
    desk.of("first")
    desk.of(*(f"text {number}" for number in range(KEPT_TEXTS)))
    desk.of("first")
    assert fake.made["first"] == 2


def test_trouble_is_waited_out_as_long_as_the_provider_asks_and_longer_each_time() -> None:
    trouble = iter([Passing("status 500"), Passing("status 500"), Passing("busy", 7.0), None])
    desk = Desk(Fake(trouble=trouble))
    assert desk.of("a") == {"a": numbers("a")}
    assert 0.1 <= desk.pauses[0] <= 0.2 <= desk.pauses[1] <= 0.4
    assert desk.pauses[2] == 7.0
    assert desk.metrics.failures._value.get() == 3


def test_what_was_made_before_the_provider_went_away_is_not_paid_again() -> None:
    trouble = iter([None, *(Passing("no answer") for _ in range(MODEL.attempts))])
    fake = Fake(trouble=trouble)
    desk = Desk(fake)
    some = [f"text {number}" for number in range(12)]
    with pytest.raises(ProviderAway, match="no answer, 6 times"):
        desk.of(*some)
    assert len(desk.of(*some)) == 12
    assert set(fake.made.values()) == {1}


def test_whoever_is_told_to_stop_does_not_wait() -> None:
    desk = Desk(Fake(trouble=iter([Passing("busy", 300.0)])), stopped=True)
    with pytest.raises(Stopping):
        desk.of("a")
    assert desk.pauses == [20.0]


def test_wrong_settings_end_it() -> None:
    with pytest.raises(ActionFailed, match="key"):
        Desk(Fake(trouble=iter([ActionFailed("the key is not accepted")]))).of("a")


def test_texts_beyond_the_budget_are_left_out() -> None:
    fake = Fake()
    desk = Desk(fake, usd_per_day=0.17)
    found = desk.of(*(f"text {number}" for number in range(20)))
    assert Counter(value for value in found.values() if isinstance(value, str)) == {"over_budget": 4}
    assert sum(desk.paid) == pytest.approx(0.16)


def test_a_day_ends_at_midnight_and_its_cost_outlives_the_process() -> None:
    now = [NOON]
    first = Budget(1.0, 2, now=lambda: now[0])
    first.assigned({HOME: {}, OTHER: {}})
    first.home = HOME
    first.spent(0.9, "embedding")
    states = {home: first.state(home) for home in (HOME, OTHER)}
    again = Budget(1.0, 2, now=lambda: now[0])
    again.assigned(states)
    with pytest.raises(OverBudget, match=r"0\.9000 USD today and may cost 1\.0000"):
        again.spend(0.2, "embedding")
    again.spend(0.05, "embedding")
    now[0] += timedelta(days=1)
    again.spend(0.2, "embedding")
    later = Budget(1.0, 2, now=lambda: now[0])
    later.assigned(states)
    later.spend(1.0, "embedding")


def test_processes_share_the_budget_as_they_share_the_partitions() -> None:
    half = Budget(1.0, 2, now=lambda: NOON)
    half.assigned({HOME: {}})
    half.spend(0.5, "embedding")
    with pytest.raises(OverBudget):
        half.spend(0.51, "embedding")


def test_trouble_does_not_make_a_process_forget_what_it_has_spent() -> None:
    budget = Budget(1.0, 1, now=lambda: NOON)
    budget.assigned({HOME: {}})
    budget.home = HOME
    budget.spent(0.9, "embedding")
    budget.assigned({HOME: {"day": "2026-03-01", "usd": 0.1}})
    with pytest.raises(OverBudget):
        budget.spend(0.2, "embedding")


@given(st.text(), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_larger_sample_holds_the_smaller_one(name: str, one: float, other: float) -> None:
    assert not sampled(name, min(one, other)) or sampled(name, max(one, other))
    assert sampled(name, 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "no_text"), ("  ", "no_text"), ("[email] [phone:0a1b2c]", "no_text"), ("[email] is mine", None)],
)
def test_what_the_redaction_has_taken_away_is_not_embedded(text: str | None, why: str | None) -> None:
    (found,) = texts(interaction(1, user_query=text), chosen())
    assert found == (why or Text(interaction(1, user_query=text), "query", str(text)))


def test_only_what_the_settings_ask_for_is_embedded() -> None:
    both = list(texts(interaction(1), chosen(kinds=["query", "response"])))
    assert [each.text for each in both if isinstance(each, Text)] == ["where is my order?", "on its way"]
    assert list(texts(interaction(1), chosen(apps=["other"]))) == ["other_app"]
    assert list(texts(interaction(1), chosen(sample=1e-9))) == ["not_sampled"]


def test_an_embedding_belongs_to_its_interaction_and_says_who_made_it() -> None:
    of = Text(interaction(4), "response", "on its way")
    found = embedding(of, "small", numbers("a"))
    assert (found.interaction_id, found.kind, found.model, found.dim) == ("i4", "response", "small", 2)
    assert (found.app, found.tenant, found.session_id, found.ts) == ("shop", "acme", "s1", interaction(4).ts)
    assert found.id == embedding(of, "small", numbers("b")).id
    assert found.id != embedding(of, "large", numbers("a")).id
