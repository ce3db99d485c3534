"""The map of embeddings: the clusters of a baseline, and what has come since."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from psycopg.sql import SQL

from drift_aware.dashboards.live import atlas
from drift_aware.dashboards.live.axes import principal
from drift_aware.schema.events import Embedding, Interaction
from drift_aware.sql import dimensions, partitions
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection
from drift_aware.streams.evidence import Floats
from rig.api import Persisted, client, make_app
from rig_events import NOON, baseline, embedding, interaction, readings

DIM = 16
FAMILY = f"embedding/query/small/{DIM}"
TOPICS = np.eye(DIM)[:4]


def vectors(topic: int, number: int, seed: int = 0) -> Floats:
    """Of one topic, some noise around its direction."""
    found: Floats = TOPICS[topic] + np.random.default_rng(seed).normal(0, 0.05, (number, DIM))
    return found


def events(
    topic: int, first: int, number: int, question: str = "where is my order", **fields: Any
) -> tuple[list[Interaction], list[Embedding]]:
    """Questions about a topic with their embeddings."""
    numbers = range(first, first + number)
    rows = vectors(topic, number, first).astype("<f2")
    return (
        [interaction(n, user_query=question) for n in numbers],
        [embedding(n, dim=DIM, vector=row.tobytes(), **fields) for n, row in zip(numbers, rows, strict=True)],
    )


@pytest.fixture
def stored(persisted: Persisted) -> Persisted:
    """With a baseline of two topics, one three times as frequent as the other."""
    calm = np.concatenate([vectors(0, 900), vectors(1, 300)])
    persisted.baselines([baseline(calm, family=FAMILY)])
    persisted.readings([readings(NOON)])
    return persisted


def publish(persisted: Persisted, *parts: tuple[list[Interaction], list[Embedding]]) -> None:
    for questions, embedded in parts:
        persisted.events("interaction", questions)
        persisted.events("embedding", embedded)


def drawn(api: TestClient, **asked: str) -> Any:
    answer = api.get("/live/map", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(api: TestClient, **asked: str) -> str:
    answer = api.get("/live/map", params=asked)
    assert answer.status_code == 404
    return str(answer.json()["detail"])


def test_calm_traffic_lies_among_the_clusters_of_the_baseline(api: TestClient, stored: Persisted) -> None:
    publish(stored, events(0, 0, 150), events(1, 1000, 50))
    found = drawn(api)
    assert (found["segment"], found["family"], found["families"]) == ("all", FAMILY, [FAMILY])
    assert found["baseline"]["events"] == 1200
    assert sum(each["share"] for each in found["clusters"]) == pytest.approx(1)
    assert sum(each["now"] for each in found["clusters"]) == pytest.approx(1)
    assert len(found["points"]) == 200
    assert found["far"] < 0.1
    assert 0.5 < found["explained"] <= 1
    # The two topics lie apart on the first axis, and so do the points.
    across = sorted(x for x, _, _ in found["points"])
    assert across[50] - across[49] > 0.5 or across[150] - across[149] > 0.5
    areas = [each["radius"] ** 2 / each["share"] for each in found["clusters"] if each["share"] > 0.01]
    assert min(areas) == pytest.approx(max(areas), rel=0.05)


def test_canaries_are_not_on_the_map(api: TestClient, stored: Persisted) -> None:
    publish(stored, events(0, 0, 60), events(2, 1000, 40, canary=True))
    found = drawn(api)
    assert len(found["points"]) == 60
    assert found["far"] < 0.1


def test_a_new_topic_is_far_from_the_baseline(api: TestClient, stored: Persisted) -> None:
    publish(stored, events(0, 0, 60), events(2, 1000, 40))
    found = drawn(api)
    assert found["far"] == pytest.approx(0.4, abs=0.05)
    assert sum(far for _, _, far in found["points"]) == pytest.approx(40, abs=5)


def test_clusters_have_the_words_that_stand_out_near_them(api: TestClient, stored: Persisted) -> None:
    publish(stored, events(0, 0, 300, "cancel my flight"), events(1, 1000, 300, "reset the password"))
    clusters = drawn(api)["clusters"]
    named = {each["group"]: set(each["words"]) for each in clusters if each["words"]}
    assert {"cancel", "flight"} in named.values()
    assert {"reset", "the", "password"} in named.values()
    assert {" ".join(sorted(words)) for words in named.values()} == {"cancel flight", "password reset the"}


def test_texts_that_are_not_stored_leave_clusters_without_words(api: TestClient, stored: Persisted) -> None:
    _, embedded = events(0, 0, 40)
    stored.events("embedding", embedded)
    found = drawn(api)
    assert len(found["points"]) == 40
    assert all(each["words"] == [] for each in found["clusters"])


def test_a_segment_has_its_own_vectors_and_an_earlier_day_does_not_count(
    api: TestClient, stored: Persisted
) -> None:
    calm = vectors(0, 600)
    stored.baselines([baseline(calm, family=FAMILY, segment="app=blog,model=small")])
    publish(stored, events(0, 0, 30), events(0, 100, 20, app="blog", tenant="x"))
    publish(stored, events(0, 200, 10, app="blog", ts=NOON - 2 * 86_400_000))
    publish(stored, events(0, 300, 10, app="blog", kind="response"))
    assert len(drawn(api, segment="app=blog,model=small")["points"]) == 20
    assert len(drawn(api)["points"]) == 50


def test_a_later_baseline_takes_the_place_of_the_one_before(api: TestClient, stored: Persisted) -> None:
    publish(stored, events(2, 0, 50))
    assert drawn(api)["far"] > 0.9
    stored.baselines([baseline(vectors(2, 600), family=FAMILY, id="later", policy="pinned")])
    found = drawn(api)
    assert found["baseline"]["id"] == "later"
    assert found["far"] < 0.1


def test_one_of_several_families_can_be_asked_for(api: TestClient, stored: Persisted) -> None:
    other = f"embedding/response/acme/big/{DIM}"
    stored.baselines([baseline(vectors(1, 600), family=other)])
    publish(stored, events(0, 0, 30), events(1, 100, 20, kind="response", model="acme/big"))
    found = drawn(api, family=other)
    assert (found["family"], found["families"], len(found["points"])) == (other, [FAMILY, other], 20)
    assert refused(api, family="embedding/query/none/7").startswith(
        "there is no baseline of embedding/query/none/7 in all; there are embedding/query/small"
    )


def test_vectors_of_an_unnamed_model_are_a_family_like_others(api: TestClient, persisted: Persisted) -> None:
    persisted.baselines([baseline(vectors(0, 300), family=f"embedding/query//{DIM}")])
    persisted.readings([readings(NOON)])
    publish(persisted, events(0, 0, 20, model=None), events(0, 100, 10))
    assert len(drawn(api)["points"]) == 20


def test_without_a_baseline_or_vectors_it_says_what_is_missing(
    database_url: str, persisted: Persisted
) -> None:
    with client(make_app(database_url)) as api:
        assert "drift-aware baseline watch fits one" in refused(api)
        persisted.baselines([baseline(vectors(0, 300), family=FAMILY)])
        persisted.baselines([baseline(None, family="interaction")])
        nothing = f"no embeddings of {FAMILY} in all have been stored in the last day"
        assert refused(api) == nothing
        persisted.readings([readings(NOON)])
        assert refused(api) == nothing
        persisted.events("embedding", [embedding(1, dim=DIM, vector=np.zeros(DIM, "<f2").tobytes())])
        assert refused(api) == nothing


def test_wide_vectors_are_brought_to_the_size_of_their_baseline(
    api: TestClient, persisted: Persisted
) -> None:
    wide = np.random.default_rng(3).normal(1, 0.3, (400, 600))
    family = "embedding/query/small/600"
    persisted.baselines([baseline(wide, family=family)])
    persisted.readings([readings(NOON)])
    some = [embedding(n, dim=600, vector=wide[n].astype("<f2").tobytes()) for n in range(20)]
    persisted.events("embedding", some)
    assert len(drawn(api)["points"]) == 20


def test_the_latest_vectors_are_read_by_an_index_and_no_earlier_day(
    persisted: Persisted, connection: Connection
) -> None:
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    now = int(today.timestamp()) * 1000
    persisted.events("embedding", [embedding(0, dim=DIM, ts=now)])
    # Their table is made when the first of them have come.
    dimensions.make(connection, DIM)
    partitions.make_ahead(connection, today.date())
    for ago in range(3):
        ids = range(1000 * ago, 1000 * ago + 400)
        persisted.events("embedding", [embedding(n, dim=DIM, ts=now - 86_400_000 * ago - n) for n in ids])
    connection.execute("ANALYZE embeddings_log")
    explain = SQL("EXPLAIN {}").format(QUERIES["latest_embeddings"])
    asked = atlas.asked_vectors("app=shop,model=small", FAMILY, now)
    plan = "\n".join(row[0] for row in connection.execute(explain, asked | {"limit": 5, "looked_at": 50}))
    table = f"embeddings_log_{DIM}"
    assert f"Index Scan Backward using {table}_{today:%Y%m%d}_ts_idx" in plan, plan
    assert f"{table}_{today - timedelta(days=2):%Y%m%d}" not in plan
    assert "embeddings_log_other" not in plan


@given(st.integers(1, 6), st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_axes_are_at_right_angles_and_explain_no_more_than_there_is(
    clusters: int, dim: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    centroids = rng.normal(size=(clusters, dim))
    shares = rng.dirichlet(np.ones(clusters))
    axes = principal(centroids, shares)
    assert 0 <= axes.explained <= 1 + 1e-9
    placed = axes.place(centroids)
    assert np.allclose(shares @ placed, 0, atol=1e-9)
    products = axes.directions @ axes.directions.T
    assert abs(products[0, 1]) < 1e-9
    again = principal(centroids[::-1], shares[::-1])
    assert again.explained == pytest.approx(axes.explained)
