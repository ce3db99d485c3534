"""The parts of a reindex by themselves: sources, batches, vectors, calls over HTTP."""

import base64
import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from drift_aware.actions import web
from drift_aware.actions.embedding.models import Item, Local, checked, in_order
from drift_aware.actions.embedding.texts import batches, tokens, tokens_at_most
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.reindexing.documents import Document, of_row, storable
from drift_aware.actions.reindexing.recall import found_share
from drift_aware.actions.reindexing.sources import source_of
from drift_aware.schema.reindexing import FolderSource, HttpSource, LocalModel, PluginSource, SqlSource
from rig.configuration import make_settings
from rig.embeddings import Endpoint, broken, busy, cut_off, garbage, says

SOME_TEXTS = st.lists(st.text(max_size=60), max_size=40)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def pages() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


@given(SOME_TEXTS, st.integers(1, 7), st.integers(1, 60))
def test_batches_hold_every_text_once_and_keep_both_limits(
    texts: list[str], most_texts: int, most_tokens: int
) -> None:
    found = list(batches(texts, most_texts, most_tokens))
    assert [place for stretch in found for place in stretch] == list(range(len(texts)))
    for stretch in found:
        assert 1 <= len(stretch) <= most_texts
        assert len(stretch) == 1 or sum(tokens(texts[place]) for place in stretch) <= most_tokens


@given(st.text())
def test_a_text_is_reserved_for_at_least_what_it_is_estimated_at(text: str) -> None:
    assert 1 <= tokens(text) <= tokens_at_most(text)


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_what_is_stored_is_text_that_postgres_can_hold(text: str, metadata: dict[str, str]) -> None:
    found = storable(Document("a", text + "\x00\ud800", metadata))
    found.text.encode()
    assert "\x00" not in found.text + "".join(found.metadata)
    assert found.content_hash == found.content_hash


def test_a_row_of_a_database_becomes_a_document_with_json_beside_it() -> None:
    row = {"id": 7, "text": "x", "at": datetime(2026, 1, 2, tzinfo=UTC), "n": 1}
    assert of_row(row, "id", "text", "row 1").metadata == {"at": "2026-01-02T00:00:00Z", "n": 1}


@given(st.permutations(range(6)))
def test_vectors_are_put_in_the_order_of_their_texts(order: list[int]) -> None:
    items = [Item(embedding=[float(place)], index=place) for place in order]
    assert in_order(items, 6, "it") == [[float(place)] for place in range(6)]


def test_vectors_may_be_base64() -> None:
    written = base64.b64encode(np.array([1, -2], "<f4").tobytes()).decode()
    [vector] = in_order([Item(embedding=written)], 1, "it")
    assert checked([vector], 2, "it").tolist() == [[1.0, -2.0]]


def test_a_share_found_counts_equal_distances() -> None:
    assert found_share([0.1, 0.2, 0.2], [0.1, 0.2, 0.2]) == 1
    assert found_share([0.1], [0.1, 0.2]) == 0.5


def test_a_date_to_come_again_at_is_understood() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert web.asked_pause("Thu, 01 Jan 2026 00:00:09 GMT", lambda: now) == 9
    assert web.asked_pause("Thu, 01 Jan 2030 00:00:00 GMT", lambda: now) == 300
    assert web.asked_pause("nan") is None


def test_the_other_side_says_how_long_to_wait(pages: Endpoint) -> None:
    with stamina.set_testing(False):
        assert web._pause(web.Passing("busy", 2.0)) == 2.0
    assert web._pause(web.Passing("busy")) is True
    assert web._pause(ValueError()) is False


def documents(endpoint: Endpoint, **options: Any) -> list[Document]:
    source = HttpSource(kind="http", url=f"{endpoint.url}/all", **options)
    return list(source_of(make_settings(), source).documents())


def page(*ids: int, **more: Any) -> dict[str, Any]:
    return {"items": [{"id": n, "text": f"text {n}"} for n in ids], **more}


def test_pages_are_followed_by_their_addresses(pages: Endpoint) -> None:
    pages.pages.update({"/all": page(1, 2, next="/all?page=2"), "/all?page=2": page(3, next=None)})
    assert [each.id for each in documents(pages, token="t" * 20)] == ["1", "2", "3"]
    assert set(pages.keys) == {"Bearer " + "t" * 20}


def test_pages_are_followed_by_a_cursor(pages: Endpoint) -> None:
    first = {"data": {"rows": page(1)["items"], "after": 17}}
    last = {"data": {"rows": page(2)["items"]}}
    pages.pages.update({"/all": first, "/all?cursor=17": last})
    found = documents(pages, items="data.rows", next="data.after", cursor="cursor")
    assert [each.id for each in found] == ["1", "2"]


def test_trouble_of_a_page_that_passes_is_waited_for(pages: Endpoint) -> None:
    pages.pages["/all"] = page(1)
    pages.fail_with(busy, cut_off)
    assert len(documents(pages)) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (page(1, next="/all"), "page 2 is one that came before"),
        (page(1, next="http://example.com/more"), "another host"),
        (page(1, next=2), "set `cursor`"),
        ({"rows": []}, "no list at `items`"),
        ({"items": [{"id": 1}]}, "page 1, item 1, document 1, has no text"),
    ],
)
def test_pages_that_make_no_sense_are_said(pages: Endpoint, given: Any, said: str) -> None:
    pages.pages["/all"] = given
    with pytest.raises(ActionFailed, match=said):
        documents(pages)


@pytest.mark.parametrize("fault", [broken, garbage, cut_off, busy, says(403, {}), says(404, {})])
def test_a_source_that_dies_half_way_is_said(pages: Endpoint, fault: Any) -> None:
    pages.pages["/all"] = page(1, next="/all?page=2")
    pages.fail_with(None, *[fault] * 3)
    with pytest.raises(ActionFailed, match="page 2"):
        documents(pages)


def test_a_folder_gives_its_texts_by_path(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.md").write_text("# B")
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "c.png").write_bytes(b"\xff")
    source = FolderSource(kind="folder", path=tmp_path)
    found = list(source_of(make_settings(), source).documents())
    assert [(each.id, each.text) for each in found] == [("a.txt", "A"), ("deep/b.md", "# B")]
    (tmp_path / "d.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ActionFailed, match=r"d\.txt is not UTF-8"):
        list(source_of(make_settings(), source).documents())


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    source = FolderSource(kind="folder", path=tmp_path / "none")
    with pytest.raises(ActionFailed, match="none is not there"):
        list(source_of(make_settings(), source).documents())


def queried(url: str, query: str) -> list[Document]:
    settings = make_settings(database_url=url)
    return list(source_of(settings, SqlSource(kind="sql", query=query)).documents())


def test_a_query_gives_documents_with_further_columns_as_metadata(database_url: str) -> None:
    query = "SELECT n AS id, 'text ' || n AS text, 10 %% n AS rest FROM generate_series(1, 3) AS n".replace(
        "%%", "%"
    )
    found = queried(database_url, query)
    assert [(each.id, each.text, dict(each.metadata)) for each in found] == [
        ("1", "text 1", {"rest": 0}),
        ("2", "text 2", {"rest": 0}),
        ("3", "text 3", {"rest": 1}),
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT 1 AS id", "row 1, document 1, has no text"),
        ("SELECT nonsense", 'column "nonsense" does not exist'),
        ("SELECT n AS id, (1 / (3 - n))::text AS text FROM generate_series(1, 5) AS n", "division by zero"),
        ("DELETE FROM documents RETURNING id, content AS text", "the query broke"),
        ("WITH gone AS (DELETE FROM documents RETURNING *) SELECT id, content AS text FROM gone", "broke"),
    ],
)
def test_a_query_that_breaks_or_would_write_is_said(database_url: str, query: str, said: str) -> None:
    with pytest.raises(ActionFailed, match=said):
        queried(database_url, query)


def test_a_source_of_ones_own_comes_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own:
        described, remote = "my wiki", True

        def __init__(self, options: dict[str, Any], settings: object) -> None:
            self._space = options["space"]

        def documents(self) -> Iterator[Document]:
            yield Document("1", self._space)

    entry = SimpleNamespace(name="wiki", load=lambda: Own)
    monkeypatch.setattr("drift_aware.actions.reindexing.sources.entry_points", lambda group: [entry])
    source = PluginSource(kind="plugin", name="wiki", options={"space": "HR"})
    assert list(source_of(make_settings(), source).documents()) == [Document("1", "HR")]


def test_a_local_model_names_the_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    local = Local(LocalModel(kind="local", model="m", dimensions=2))
    with pytest.raises(ActionFailed, match=r"pip install 'drift-aware\[local-models\]'"):
        local.embed(["a"], None)  # type: ignore[arg-type]


def test_a_local_model_is_loaded_once_and_its_vectors_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    class Model:
        def __init__(self, name: str) -> None:
            loaded.append(name)

        def encode(self, texts: list[str], **_: object) -> Any:
            return np.array([[len(text), math.pi] for text in texts])

    monkeypatch.setitem(sys.modules, "sentence_transformers", SimpleNamespace(SentenceTransformer=Model))
    local = Local(LocalModel(kind="local", model="m", dimensions=2))
    assert local.embed(["ab", "abc"], None)[:, 0].tolist() == [2, 3]  # type: ignore[arg-type]
    local.embed(["a"], None)  # type: ignore[arg-type]
    assert loaded == ["m"]
    wide = Local(LocalModel(kind="local", model="m", dimensions=3))
    with pytest.raises(ActionFailed, match="a vector of 2 numbers"):
        wide.embed(["a"], None)  # type: ignore[arg-type]
