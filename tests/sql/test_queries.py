import re
from pathlib import Path

import pytest

from drift_aware.sql import queries
from drift_aware.sql.queries import QUERIES

ROLES = Path(queries.__file__).parents[3]
CODE = [
    file.read_text()
    for role in ("sql", "actions", "dashboards")
    for file in (ROLES / role).rglob("*.py")
    if file.name != "queries.py"
]


def test_every_query_is_described() -> None:
    for name, query in QUERIES.items():
        assert query.as_string().startswith("-- "), name


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_used(name: str) -> None:
    assert any(f'"{name}"' in text for text in CODE)


def test_the_code_holds_no_sql_of_its_own() -> None:
    literal = re.compile(r"""(execute|executemany|copy)\(\s*f?["']""")
    assert [text[:80] for text in CODE if literal.search(text)] == []
