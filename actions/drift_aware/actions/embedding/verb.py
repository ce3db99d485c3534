"""``drift-aware embed``."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Annotated

import typer

from drift_aware.actions.embedding import work
from drift_aware.actions.embedding.budget import Budget
from drift_aware.actions.embedding.catching_up import caught_up
from drift_aware.actions.embedding.models import embedder_of
from drift_aware.actions.embedding.own import OwnEmbeddings
from drift_aware.actions.embedding.vectors import Vectors
from drift_aware.actions.prices import price
from drift_aware.producers.relay import Relay
from drift_aware.schema.embed_settings import Embed
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.metrics import EmbedMetrics
from drift_aware.schema.metrics.metric import make_registry
from drift_aware.schema.metrics.served import served
from drift_aware.schema.settings import Settings
from drift_aware.schema.verbs import ConfigOption, SkipLostOption, start, stop_on_signals

_MILLION = 1_000_000


def embed(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="End when all that is there now is embedded.")] = False,
    prometheus_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve metrics on this port; 0 serves none.")
    ] = 0,
    skip_lost: SkipLostOption = False,
) -> None:
    """Publish embeddings of interactions that came without, each exactly once; Ctrl-C or SIGTERM stops it.

    What embeds them, which of them, and what a day may cost is said in the section `embed` of the settings.
    """
    settings = start(config)
    if settings.embed is None:
        raise SettingsError("the settings have no section `embed`; say in it what embeds the texts")
    registry = make_registry()
    metrics = EmbedMetrics(registry)
    stop = stop_on_signals()
    with _working(settings, settings.embed, stop, metrics) as embedding, ExitStack() as stack:
        relay = Relay(
            settings,
            work.NAME,
            work.TOPICS,
            embedding,
            kinds=["embedding"],
            skip_lost=skip_lost,
            batch_records=work.BATCH_RECORDS,
            retried=lambda cause: metrics.retries.labels(cause).inc(),
            refused=lambda reason: metrics.skipped.labels(reason).inc(),
        )
        relay.knock()
        stack.enter_context(served(prometheus_port, registry))
        if once:
            group = f"drift-aware-{work.NAME}"
            stack.enter_context(caught_up(settings.kafka, group, work.TOPICS, stop))
        relay.run(stop)
    typer.echo(f"published {_told(embedding.embedded)}; left out {_told(embedding.skipped)}")


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} x {name}" for name, count in sorted(counts.items())) or "nothing"


@contextmanager
def _working(
    settings: Settings, chosen: Embed, stop: threading.Event, metrics: EmbedMetrics
) -> Iterator[work.EmbeddingWork]:
    model = chosen.embedding
    usd = 0.0
    if model.kind == "endpoint":
        usd = price(settings.prices, model.model, embedding=_MILLION)
    budget = Budget(chosen.budget_usd_per_day, settings.kafka.partitions, metrics.cost.inc)
    with ExitStack() as stack:
        embedder = stack.enter_context(closing(embedder_of(model, settings.openai_api_key, usd)))
        vectors = Vectors(model, embedder, budget, stop.wait, metrics)
        own = None
        if chosen.wait_seconds:
            own = stack.enter_context(closing(OwnEmbeddings(settings.kafka, work.NAME)))
        yield work.EmbeddingWork(chosen, vectors, budget, own, stop, metrics)
