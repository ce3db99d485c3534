"""Which files of the documentation are made from the code, and how."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from drift_aware.dashboards.api.app import create
from drift_aware.schema import asyncapi
from drift_aware.schema.settings import Settings
from writers import commands, configuration, records

ROOT = Path(__file__).parents[2]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


FILES: Mapping[str, Callable[[], str]] = {
    "docs/reference/cli.md": commands.page,
    "docs/reference/configuration.md": configuration.page,
    "docs/reference/topics.md": records.page,
    "docs/openapi.json": lambda: _json(
        create(Settings(database_url=SecretStr("postgresql://localhost/drift"))).openapi()
    ),
    "schema/drift_aware/schema/asyncapi.json": lambda: _json(asyncapi.document()),
}
