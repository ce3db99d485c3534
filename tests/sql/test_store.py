import pytest

from drift_aware.schema.errors import SettingsError
from drift_aware.sql import migrate, store
from drift_aware.sql.errors import DatabaseUnreachable
from rig.configuration import make_settings


def test_a_connection_says_who_it_is(empty_database_url: str) -> None:
    with store.connect(empty_database_url, "persist") as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("drift-aware persist",)


def test_an_address_nobody_answers_at_is_told_in_one_line_without_the_password() -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        store.connect("postgresql://drift:hush@127.0.0.1:1/drift", "test")
    text = str(caught.value)
    assert "127.0.0.1" in text
    assert "DATABASE_URL" in text
    assert "\n" not in text
    assert "hush" not in text


@pytest.mark.parametrize("wrong", [("postgres@", "stranger:hush@"), ("/test_", "/no_such_")])
def test_a_server_that_knows_no_such_user_or_database_is_told_apart(
    empty_database_url: str, wrong: tuple[str, str]
) -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        store.connect(empty_database_url.replace(*wrong), "test")
    assert str(caught.value).endswith("the server runs, so check user, password and database in DATABASE_URL")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://drift:hush hush@localhost/drift",
        "postgresql://drift:hush%zz@localhost/drift",
        "postgresql://drift:hush@[localhost/drift",
        "password hush",
        "host=localhost password='hush",
        "postgresql://drift:hush@localhost:notaport/drift",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises((SettingsError, DatabaseUnreachable)) as caught:
        store.connect(url, "test")
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_check_names_what_is_missing_step_by_step(empty_database_url: str) -> None:
    [missing] = store.checks(make_settings())
    assert not missing.ok
    assert "set DATABASE_URL" in missing.message
    [down] = store.checks(make_settings(database_url="postgresql://d:hush@127.0.0.1:1/d"))
    assert not down.ok
    assert "hush" not in down.message
    there, vector, old = store.checks(make_settings(database_url=empty_database_url))
    assert there.ok
    assert vector.ok
    assert not old.ok
    assert "drift-aware db migrate" in old.message
    with store.connect(empty_database_url, "test") as connection:
        migrate.migrate(connection)
    assert all(check.ok for check in store.checks(make_settings(database_url=empty_database_url)))
