"""The application: routes, and what stands around them."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from drift_aware.actions.spending import Spending
from drift_aware.dashboards.api import document, problems
from drift_aware.dashboards.api.access import Access
from drift_aware.dashboards.api.bodies import Bodies
from drift_aware.dashboards.api.database import Database
from drift_aware.dashboards.api.journal import Journal
from drift_aware.dashboards.api.pace import Pace
from drift_aware.dashboards.api.routes import actions, alerts, drift, events, live, service
from drift_aware.dashboards.live.changes import Changes, Versions, versions
from drift_aware.schema.metrics import ApiMetrics
from drift_aware.schema.metrics.metric import make_registry
from drift_aware.schema.settings import Settings

# A page for people is one more router here, and brings its own Content-Security-Policy.
ROUTERS = (service.router, drift.router, alerts.router, actions.router, events.router, live.router)
_TAGS = [
    {"name": "service", "description": "How the server is."},
    {"name": "drift", "description": "Days against the days before them."},
    {"name": "alerts", "description": "What has drifted."},
    {"name": "actions", "description": "What is to be done about it, who decides, and what was done."},
    {"name": "events", "description": "What the application published."},
    {"name": "live", "description": "What the page for people shows."},
]


def create(settings: Settings, clock: Callable[[], float] = time.monotonic) -> FastAPI:
    """The application of the settings.

    Args:
        settings: with a database.
        clock: monotonic seconds, for the rate limit.

    Raises:
        SettingsError: no database, or a token without a value.
    """
    registry = make_registry()
    database = Database(settings)
    registry.register(Spending(database.reading))
    app = FastAPI(
        title=document.TITLE,
        version=version("drift-aware"),
        openapi_tags=_TAGS,
        # The pages that show the document load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        middleware=_middleware(settings, registry),
    )
    app.state.settings = settings
    app.state.database = database
    app.state.registry = registry
    app.state.changes = Changes(partial(_look, database))
    app.state.access = Access(settings.api.tokens)
    app.state.pace = Pace(settings.api.rate_limit_per_minute, clock)
    problems.register(app)
    for router in ROUTERS:
        app.include_router(router)
    app.openapi = lambda: document.describe(app)  # type: ignore[method-assign]
    return app


def _middleware(settings: Settings, registry: CollectorRegistry) -> list[Middleware]:
    """Outermost first."""
    around = [Middleware(Journal, metrics=ApiMetrics(registry)), Middleware(Bodies)]
    if settings.api.cors_origins:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=settings.api.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=["Location", "Retry-After"],
        )
        around.insert(1, cors)
    return around


def _look(database: Database) -> Versions:
    with database.reading() as connection:
        return versions(connection)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    database: Database = app.state.database
    database.open()
    yield
    app.state.changes.close()
    database.close()
