"""The settings: one YAML file, overridden by environment variables.

Every setting is also an environment variable, ``DRIFT_AWARE_`` and its path with double underscores, as in
``DRIFT_AWARE_LIMITS__REFUSAL_RATE=0.08``. The names people already have in their deployments work too
(ENVIRONMENT). An unknown key is an error that names the nearest known one.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as PydanticSettingsError

from drift_aware.schema.action_settings import Actions as Actions
from drift_aware.schema.api import Api
from drift_aware.schema.canary_settings import CanarySettings as CanarySettings
from drift_aware.schema.embed_settings import Embed as Embed
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.events import Mode, TextField
from drift_aware.schema.kafka import Kafka
from drift_aware.schema.notify_settings import Notify as Notify
from drift_aware.schema.otlp_settings import Otlp as Otlp
from drift_aware.schema.prices import Price as Price
from drift_aware.schema.section import Section

PREFIX = "DRIFT_AWARE_"

ENVIRONMENT: Mapping[str, str] = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka.bootstrap_servers",
    "DATABASE_URL": "database_url",
    "PROMETHEUS_PORT": "prometheus_port",
    "PORT": "api.port",
    "LOG_LEVEL": "log_level",
    "CHECK_INTERVAL_SECONDS": "pane_seconds",
    "EMBEDDING_DIM": "embedding_dim",
    "EMBEDDING_COSINE_THRESHOLD": "limits.embedding_cosine",
    "REFUSAL_RATE_THRESHOLD": "limits.refusal_rate",
    "TOXICITY_RATE_THRESHOLD": "limits.toxicity_rate",
    "ACCURACY_DROP_POINTS": "limits.accuracy_drop_points",
    "OPENAI_API_KEY": "openai_api_key",
    "SLACK_WEBHOOK_URL": "notify.slack.webhook_url",
    "LEARNING_ENGINE_URL": "learning_engine_url",
}

Share = Annotated[float, Field(gt=0, le=1)]
# What plugs in a detector; see the documentation of detection.
DETECTORS_GROUP = "drift_aware.detectors"
DETECTORS = ("shift", "limit", "drop", "centroid", "adwin", "classic", "creep", "graded")
_BUDGET = re.compile(r"(\d+(?:\.\d+)?) per (\d+(?:\.\d+)?) ?(s|m|h|d|w)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _known_detector(name: str) -> str:
    known = [*DETECTORS, *(entry.name for entry in entry_points(group=DETECTORS_GROUP))]
    if name.removeprefix("-") not in known:
        raise ValueError(
            f"no such detector; there are {', '.join(known)}, with a leading minus to switch off"
        )
    return name


def _budget(text: str) -> str:
    if not (found := _BUDGET.fullmatch(text)) or not float(found[1]) or not float(found[2]):
        raise ValueError(
            "write how many false alarms in what time, as in `1 per 30d`; units are s, m, h, d, w"
        )
    return text


Detector = Annotated[str, AfterValidator(_known_detector)]


class BaselinePolicy(Section):
    """What traffic is compared with.

    ``first``: the first so many events of each family of a segment. ``pinned``: those between two times.
    ``rolling``: those of ``baseline_days`` before the last ``current_days``, fitted anew every day.

    Attributes:
        policy: which events.
        events: interactions of a segment, and vectors of an embedding family, that make a baseline.
        feedback: opinions that make one.
        evaluations: graded items that make one.
        begin: the stretch of event time of ``pinned``; all in it counts.
        end: the stretch of event time of ``pinned``; all in it counts.
        current_days: the last days of ``rolling``, which are compared with the baseline.
        baseline_days: of ``rolling``, how many days before them.
    """

    policy: Literal["first", "pinned", "rolling"] = "first"
    events: int = Field(3000, ge=1)
    feedback: int = Field(300, ge=1)
    evaluations: int = Field(300, ge=1)
    begin: AwareDatetime | None = Field(None, alias="from")
    end: AwareDatetime | None = Field(None, alias="to")
    current_days: int = Field(7, ge=1)
    baseline_days: int = Field(7, ge=1)

    @model_validator(mode="after")
    def _complete(self) -> "BaselinePolicy":
        if self.policy == "pinned" and (self.begin is None or self.end is None or self.begin >= self.end):
            raise ValueError("a pinned baseline needs `from` and a later `to`")
        return self


class Limits(Section):
    """Beyond what a metric must not go; the share of events, points of accuracy, or a distance.

    Attributes:
        refusal_rate: share of answers that refuse.
        toxicity_rate: share of answers that are toxic.
        error_rate: share of interactions that failed.
        accuracy_drop_points: how far accuracy may fall below the baseline; 0.05 is five points.
        accuracy_min: the least accuracy, whatever the baseline.
        feedback_drop: how far the mean rating may fall below the baseline, of 1 to 5.
        embedding_cosine: cosine distance of the mean vector from the baseline's.
        kl: Kullback-Leibler divergence of a classic measure, in nats.
        psi: population stability index of a classic measure.
        min_samples: below so many events a limit says nothing.
        confirm: whether a limit has to be exceeded beyond doubt, within the budget of false alarms.
    """

    refusal_rate: Share = 0.05
    toxicity_rate: Share = 0.02
    error_rate: Share = 0.05
    accuracy_drop_points: Share = 0.05
    accuracy_min: Share = 0.75
    feedback_drop: float = Field(0.5, gt=0, le=4)
    embedding_cosine: float = Field(0.1, gt=0, le=2)
    kl: float = Field(0.1, gt=0)
    psi: float = Field(0.2, gt=0)
    min_samples: int = Field(100, ge=1)
    confirm: bool = True


# Sources keep a week in Kafka, and a new start reads it again.
Kept = Annotated[int, Field(ge=7, le=36_500)] | None


class Retention(Section):
    """How many days Postgres keeps the rows of a table, by the time of the event; null keeps them.

    ``persist`` removes what is older, unless ``automatic`` is off.

    Attributes:
        automatic: whether ``persist`` removes old rows, once an hour.
        days_ahead: partitions that are made ahead, one for each day.
        interaction_log: days of this table.
        embeddings_log: days of this table.
        feedback_log: days of this table.
        evaluation_log: days of this table.
        drift_metrics: days of this table.
        pane_totals: days of this table.
    """

    automatic: bool = True
    days_ahead: int = Field(4, ge=1, le=366)
    interaction_log: Kept = 90
    embeddings_log: Kept = 30
    feedback_log: Kept = 365
    evaluation_log: Kept = 365
    drift_metrics: Kept = 90
    pane_totals: Kept = 90


Pattern = Literal["email", "phone", "card", "iban", "ip", "secret"]


class Redact(Section):
    """What becomes of personal data in texts before they are published; ``fields`` overrides ``mode``.

    ``mask``: ``[email]`` in its place; ``hash``: a keyed hash; ``drop``: the field is left out.
    ``presidio`` is the spaCy model it works with, as in en_core_web_lg.

    Attributes:
        mode: of every text.
        fields: text field to its mode.
        patterns: what is looked for.
        presidio: model of the finder of names and places, which is an extra; null for none.
        hash_key: of the mode ``hash``; without the key nobody can try out what a hash was.
    """

    mode: Mode = "keep"
    fields: dict[TextField, Mode] = Field(default_factory=dict)
    patterns: list[Pattern] = Field(default_factory=lambda: list(get_args(Pattern)))
    presidio: str | None = None
    hash_key: SecretStr | None = None

    @model_validator(mode="after")
    def _has_key(self) -> "Redact":
        if "hash" in {self.mode, *self.fields.values()} and not self.key:
            raise ValueError(
                "mode `hash` needs a key; set DRIFT_AWARE_REDACT__HASH_KEY to a long random text"
            )
        return self

    @property
    def key(self) -> str | None:
        """The key of ``hash`` in the clear."""
        return self.hash_key.get_secret_value() if self.hash_key else None


class Record(Section):
    """What of the published events is kept in Postgres; without texts their columns stay empty.

    Attributes:
        store_texts: whether questions, answers and comments are kept.
    """

    store_texts: bool = True


class Settings(BaseSettings):
    """Everything a command can be told.

    Attributes:
        segments: the dimensions that traffic is divided by; all traffic together is watched as well.
        max_segments: what comes beyond so many is counted as ``other``.
        pane_seconds: how long a pane is; detectors look when one closes.
        allowed_lateness_seconds: event time that a pane stays open for stragglers.
        future_tolerance_seconds: an event further ahead of the time it was written is dead-lettered.
        window_seconds: how much of the recent past the limits and second opinions look at.
        unit: what counts once in the statistics: ``auto`` takes of a conversation its first event, ``event``
            each one.
        conversation_idle_minutes: event time after which a conversation without events is over.
        hour_of_day_cells: whether an hour is predicted from the same hour of earlier days.
        false_alarms: how many false alarms in what time, of everything together, as in ``1 per 30d``.
        no_data_minutes: an alert if a segment that had traffic has none for so long; null for no such alert.
        embedding_dim: vectors of another size are dead-lettered; null accepts every size.
        detectors: your own, second opinions that are to wake people, and with a leading minus what is off.
        embed: what gives interactions the embeddings they came without.
        prices: what models cost, by their name, for the day's budget and the receipts.
        database_url: of Postgres, as in postgresql://user:password@host/name.
        prometheus_port: where ``worker`` serves metrics and health.
        prometheus_segments: segments that have series of their own among the metrics; ``all`` always has.
        log_level: what is logged at least.
        openai_api_key: for whatever speaks OpenAI's API and has no key of its own.
        learning_engine_url: of the learning engine that ``actions.tune.executor: http`` trains with.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    segments: list[Literal["app", "model", "prompt_version", "tenant"]] = ["app", "model"]
    max_segments: int = Field(1000, ge=1)
    pane_seconds: int = Field(10, ge=1, le=3600)
    allowed_lateness_seconds: int = Field(30, ge=0)
    future_tolerance_seconds: int = Field(300, ge=1)
    window_seconds: int = Field(600, ge=1)
    unit: Literal["auto", "event"] = "auto"
    conversation_idle_minutes: int = Field(30, ge=1)
    hour_of_day_cells: bool = True
    false_alarms: Annotated[str, AfterValidator(_budget)] = "1 per 30d"
    no_data_minutes: int | None = Field(None, ge=1)
    embedding_dim: int | None = Field(None, ge=1)
    baseline: BaselinePolicy = BaselinePolicy()
    limits: Limits = Limits()
    detectors: list[Detector] = []
    actions: Actions = Actions()
    embed: Embed | None = None
    prices: dict[str, Price] = Field(default_factory=dict)
    notify: Notify = Notify()
    canary: CanarySettings = CanarySettings()
    retention: Retention = Retention()
    redact: Redact = Redact()
    otlp: Otlp = Otlp()
    sql: Record = Record()
    kafka: Kafka = Kafka()
    database_url: SecretStr | None = None
    api: Api = Api()
    prometheus_port: int = Field(9108, ge=0, le=65535)
    prometheus_segments: int = Field(200, ge=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    openai_api_key: SecretStr | None = None
    learning_engine_url: str | None = None

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment stands above what ``load`` passes in, which is the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @property
    def budget_ms(self) -> float:
        """Event time for each false alarm that ``false_alarms`` allows, milliseconds."""
        found = _BUDGET.fullmatch(self.false_alarms)
        assert found is not None
        return 1000 * float(found[2]) * _UNIT_SECONDS[found[3]] / float(found[1])

    def require_database_url(self) -> str:
        """The database's address.

        Raises:
            SettingsError: none is set.
        """
        if self.database_url is None:
            raise SettingsError("no database; set DATABASE_URL, for instance postgresql://localhost/drift")
        return self.database_url.get_secret_value()


def load(file: Path | None = None) -> Settings:
    """The settings of ``file`` and of the environment, which wins.

    ``${NAME}`` inside a value of the file stands for that environment variable, empty if there is none.

    Raises:
        SettingsError: unreadable file, unknown key, or wrong value; one line that says which and what to do.
    """
    _refuse_unknown_variables()
    values = _read(file) if file else {}
    for name, path in ENVIRONMENT.items():
        if os.environ.get(name):
            _put(values, path, os.environ[name])
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None
    except PydanticSettingsError as error:
        raise SettingsError(f"{error}; lists and sections are written as JSON in the environment") from None


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text())
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not YAML: it is not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{file} is not YAML{_where(error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{file} must hold settings as `name: value`, not a {type(values).__name__}")
    return {str(key): _filled(value) for key, value in values.items()}


def _where(error: yaml.YAMLError) -> str:
    """The place and the problem; the error's own text quotes the line, which may hold a password."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return ""
    return f", line {error.problem_mark.line + 1}: {error.problem}"


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if isinstance(value, str) and "${" in value:
        return re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match[1], ""), value) or None
    return value


def _put(values: dict[str, Any], path: str, value: str) -> None:
    """Set the value at a dotted path; where the file has no section but a value, its error comes later."""
    section, _, rest = path.partition(".")
    if not rest:
        values[section] = value
    elif isinstance(there := values.get(section) or {}, dict):
        values[section] = dict(there)
        _put(values[section], rest, value)


def _keys(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """The dotted path of every setting and section."""
    for field, info in model.model_fields.items():
        name = info.alias or field
        yield path + name
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _keys(info.annotation, f"{path}{name}.")


def _refuse_unknown_variables() -> None:
    known = {PREFIX + key.replace(".", "__").upper() for key in _keys(Settings)}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name.upper() not in known:
            raise SettingsError(f"unknown environment variable {name}{_nearest(name, known)}")


def _one_line(error: ValidationError) -> str:
    """The first thing wrong, without the value, which may be a secret."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown setting {path}{_nearest(path, set(_keys(Settings)))}"
    return f"setting {path}: {first['msg']}"


def _nearest(name: str, known: set[str]) -> str:
    matches = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""
