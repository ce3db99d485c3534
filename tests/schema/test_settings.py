"""Settings: the environment over the file, unknown names refused, secrets kept."""

from pathlib import Path

import pytest

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.settings import ENVIRONMENT, Settings, load

SECRET = "hunter2"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def _at(settings: object, path: str) -> object:
    for name in path.split("."):
        settings = getattr(settings, name)
    return settings.get_secret_value() if hasattr(settings, "get_secret_value") else settings


def test_without_anything_the_defaults_hold() -> None:
    settings = load()
    assert settings == Settings()
    assert settings.segments == ["app", "model"]
    assert settings.actions.dry_run


@pytest.mark.parametrize("example", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_that_ships_is_valid(example: Path) -> None:
    load(example)


@pytest.mark.parametrize(("name", "path"), ENVIRONMENT.items())
def test_the_names_people_have_in_their_environment_work(
    name: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = {
        "EMBEDDING_DIM": "384",
        "CHECK_INTERVAL_SECONDS": "60",
        "PROMETHEUS_PORT": "9000",
        "PORT": "80",
    }.get(name)
    value = value or {"LOG_LEVEL": "debug"}.get(name) or ("0.5" if "limits" in path else "text")
    monkeypatch.setenv(name, value)
    assert str(_at(load(), path)) == (value.upper() if name == "LOG_LEVEL" else value)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_DIM", "")
    assert load().embedding_dim is None


def test_the_environment_stands_above_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("limits: {refusal_rate: 0.1, toxicity_rate: 0.2, error_rate: 0.3}\npane_seconds: 20")
    monkeypatch.setenv("REFUSAL_RATE_THRESHOLD", "0.4")
    monkeypatch.setenv("DRIFT_AWARE_LIMITS__TOXICITY_RATE", "0.5")
    monkeypatch.setenv("DRIFT_AWARE_SEGMENTS", '["tenant"]')
    settings = load(file)
    limits = settings.limits
    assert (limits.refusal_rate, limits.toxicity_rate, limits.error_rate) == (0.4, 0.5, 0.3)
    assert (settings.pane_seconds, settings.segments) == (20, ["tenant"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pane_second: 5", "unknown setting pane_second; did you mean pane_seconds?"),
        (
            "limits: {refusal_rat: 0.1}",
            "unknown setting limits.refusal_rat; did you mean limits.refusal_rate?",
        ),
        ("zzzzzzzz: 1", "unknown setting zzzzzzzz"),
        (
            "segments: [country]",
            "setting segments.0: Input should be 'app', 'model', 'prompt_version' or 'tenant'",
        ),
        ("limits: {refusal_rate: 2}", "setting limits.refusal_rate: Input should be less than or equal to 1"),
        ("limits: 5", "setting limits: Input should be a valid dictionary or instance of Limits"),
        ("- a list", "must hold settings as `name: value`, not a list"),
        ("a: b: c", "is not YAML, line 1: mapping values are not allowed here"),
        ("a: [", "is not YAML, line 1: "),
    ],
)
def test_a_wrong_file_is_one_line_that_says_what_to_do(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_value_where_the_file_needs_a_section_is_an_error_whatever_the_environment_says(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("limits: 5\nnotify: slack")
    monkeypatch.setenv("REFUSAL_RATE_THRESHOLD", "0.1")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://example.org")
    with pytest.raises(SettingsError, match="setting limits"):
        load(file)


def test_a_file_that_is_not_there_or_not_text_is_an_error_that_names_it(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read .*settings\.yaml: No such file"):
        load(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"settings\.yaml is not YAML"):
        load(file)


def test_an_empty_file_says_nothing(file: Path) -> None:
    file.write_text("# nothing yet\n")
    assert load(file) == Settings()


def test_an_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFT_AWARE_LIMITS__REFUSAL", "0.1")
    with pytest.raises(SettingsError, match="did you mean DRIFT_AWARE_LIMITS__REFUSAL_RATE"):
        load()


def test_a_list_in_the_environment_that_is_not_json_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRIFT_AWARE_SEGMENTS", "app,model")
    with pytest.raises(SettingsError, match="written as JSON"):
        load()


def test_a_name_in_braces_stands_for_a_variable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_HOST", "db.internal")
    file.write_text('database_url: "postgresql://${DB_HOST}/drift"\nlearning_engine_url: "${NOT_SET}"')
    settings = load(file)
    assert settings.require_database_url() == "postgresql://db.internal/drift"
    assert settings.learning_engine_url is None


SECRETS = [
    f"database_url: 'postgresql://drift:{SECRET}@db/drift'",
    f"openai_api_key: {SECRET}",
    f"notify: {{slack: {{webhook_url: 'https://hooks/{SECRET}'}}}}",
    f"api: {{tokens: [{{name: a, token: '{SECRET}{SECRET}{SECRET}'}}]}}",
    f"kafka: {{sasl_password: {SECRET}, ssl_key_password: {SECRET}, oauth: {{client_secret: {SECRET}}}}}",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_shows_in_no_text_of_the_settings(file: Path, text: str) -> None:
    file.write_text(text)
    settings = load(file)
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    "text",
    [
        f"database_url: [{SECRET}]",
        f"openai_api_key: {{key: {SECRET}}}",
        f"kafka: {{sasl_password: [{SECRET}]}}",
        f'database_url: "postgresql://drift:{SECRET}@db',
        f"kafka: {{sasl_password: {SECRET}",
        f"limits: {SECRET}",
        f"api: {{tokens: [{{name: a, token: {SECRET}}}]}}",
        f"segments: [{SECRET}]",
    ],
)
def test_a_secret_shows_in_no_error(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_missing_address_says_which_variable_to_set() -> None:
    with pytest.raises(SettingsError, match="set DATABASE_URL"):
        load().require_database_url()
    with pytest.raises(SettingsError, match="set KAFKA_BOOTSTRAP_SERVERS"):
        load().kafka.client()


def test_the_kafka_client_gets_what_its_protocol_needs_and_no_more(file: Path) -> None:
    login = f"sasl_username: u, sasl_password: {SECRET}"
    file.write_text(f"kafka: {{bootstrap_servers: 'k:9092', {login}, ssl_ca_location: /absent.pem}}")
    plain = load(file).kafka
    assert plain.client() == {"bootstrap.servers": "k:9092", "security.protocol": "PLAINTEXT"}
    secured = plain.model_copy(update={"security_protocol": "SASL_PLAINTEXT"})
    assert secured.client() == {
        "bootstrap.servers": "k:9092",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": SECRET,
    }
