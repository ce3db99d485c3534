"""Every SQL statement the Python code sends is a named, described block of ``queries.sql``."""

import re
from importlib.resources import files

from psycopg.sql import SQL

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def read() -> dict[str, SQL]:
    """All statements by name.

    Text in braces, as in ``{table}``, is filled in with ``SQL.format``; ``%(name)s`` is a parameter.
    """
    pieces = _NAME.split(files(__package__).joinpath("queries.sql").read_text("utf-8"))
    return {name: SQL(body.strip()) for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}


QUERIES = read()
