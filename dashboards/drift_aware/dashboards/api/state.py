"""What every request of an application shares."""

from typing import Annotated

from fastapi import Depends, Request

from drift_aware.dashboards.api.database import Database
from drift_aware.dashboards.live.changes import Changes
from drift_aware.schema.settings import Settings


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _changes(request: Request) -> Changes:
    changes: Changes = request.app.state.changes
    return changes


DatabaseOf = Annotated[Database, Depends(_database)]
SettingsOf = Annotated[Settings, Depends(_settings)]
ChangesOf = Annotated[Changes, Depends(_changes)]
