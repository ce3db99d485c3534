"""``baseline``: what current traffic is compared with."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import structlog
import typer

from drift_aware.schema.alerts import Baseline
from drift_aware.schema.settings import Settings
from drift_aware.schema.verbs import ConfigOption, JsonOption, start, stop_on_signals
from drift_aware.streams import baseliner, catalogue
from drift_aware.streams.baseliner import Offsets

_log = structlog.get_logger(__name__)
_json = msgspec.json.Encoder().encode

_TIME = "ISO 8601 with an offset, as 2026-03-01T00:00:00Z."
FromOption = Annotated[str | None, typer.Option("--from", help=f"Event time to begin at, {_TIME}")]
ToOption = Annotated[str | None, typer.Option("--to", help=f"Event time to end before, {_TIME}")]
OffsetsOption = Annotated[
    list[str] | None,
    typer.Option("--offsets", help="Read only these: TOPIC:PARTITION:FIRST:END; may be given again."),
]
LikeOption = Annotated[
    str | None, typer.Option("--like", help="Take range and offsets from the baseline with this id.")
]
SegmentOption = Annotated[str | None, typer.Option("--segment", help="Only this segment.")]
FamilyOption = Annotated[str | None, typer.Option("--family", help="Only this family of events.")]


def register(app: typer.Typer) -> None:
    """Add the group of verbs."""
    group = typer.Typer(help="What current traffic is compared with.", no_args_is_help=True)
    group.command("fit")(fit)
    group.command("pin")(pin)
    group.command("watch")(watch)
    group.command("list")(list_baselines)
    app.add_typer(group, name="baseline")


def fit(
    begin: FromOption = None,
    end: ToOption = None,
    offsets: OffsetsOption = None,
    like: LikeOption = None,
    segment: SegmentOption = None,
    family: FamilyOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Fit baselines on a range of the stream and show them; nothing is put in force.

    The same events give the same id, so this also checks a baseline against its record.
    """
    _show(_fitted(start(config), (begin, end), offsets, like, segment, family), json)


def pin(
    begin: FromOption = None,
    end: ToOption = None,
    offsets: OffsetsOption = None,
    like: LikeOption = None,
    segment: SegmentOption = None,
    family: FamilyOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Fit baselines on a range of the stream and put them in force: open alerts of theirs are closed."""
    settings = start(config)
    fitted = _fitted(settings, (begin, end), offsets, like, segment, family)
    baseliner.publish(settings, fitted)
    _show(fitted, json)


def watch(config: ConfigOption = None) -> None:
    """Fit baselines as the policy says, until stopped."""
    settings = start(config)
    _log.info("watching for segments without a baseline")
    baseliner.watch(settings, stop_on_signals(), _log_fitted)


def list_baselines(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the baselines in force."""
    found = sorted(catalogue.baselines(start(config)), key=lambda each: (each.segment, each.family))
    _show(found, json)
    if not found and not json:
        print("no baselines yet")


def _fitted(
    settings: Settings,
    times: tuple[str | None, str | None],
    offsets: list[str] | None,
    like: str | None,
    segment: str | None,
    family: str | None,
) -> list[Baseline]:
    if like is not None:
        found = baseliner.reproduced(settings, _named(settings, like))
    else:
        begin, end = times
        if begin is None or end is None:
            raise typer.BadParameter("say which range: --from and --to, or --like ID")
        span = _milliseconds(begin), _milliseconds(end)
        if span[0] >= span[1]:
            raise typer.BadParameter("--from must be before --to")
        found = baseliner.fit_range(settings, span, offsets=_offsets(offsets) if offsets else None)
    chosen = [each for each in found if segment in (None, each.segment) and family in (None, each.family)]
    if not chosen:
        raise typer.BadParameter("no such events in that range; `drift-aware status` shows the segments")
    return chosen


def _named(settings: Settings, name: str) -> Baseline:
    for each in catalogue.baselines(settings):
        if each.id == name:
            return each
    raise typer.BadParameter(f"no baseline {name} is in force; `drift-aware baseline list` shows their ids")


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write {_TIME}") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset from UTC; write {_TIME}")
    return round(moment.timestamp() * 1000)


def _offsets(texts: list[str]) -> Offsets:
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for text in texts:
        topic, *numbers = text.split(":")
        if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
            raise typer.BadParameter(f"{text!r} is not TOPIC:PARTITION:FIRST:END")
        partition, first, end = numbers
        found.setdefault(topic, {})[partition] = (int(first), int(end))
    return found


def _show(found: list[Baseline], json: bool) -> None:
    for each in found:
        if json:
            print(_json(each).decode())
            continue
        since, until = (_day(moment) for moment in (each.since, each.until))
        print(
            f"{each.segment:32} {each.family:36} {each.events:>9,} events  {since} to {until}  "
            f"{each.policy:7} {each.id}"
        )


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _log_fitted(baseline: Baseline) -> None:
    _log.info("baseline fitted", segment=baseline.segment, family=baseline.family, events=baseline.events)
