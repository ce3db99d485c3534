"""What the settings of Kafka must hold for TLS and SASL; what is wrong is one line that says what to do."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.kafka import Kafka
from rig.certificates import KEY_PASSWORD, Certificates, OpensslMissing
from rig.services import missing

SECRET = "hunter2"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    try:
        return Certificates(tmp_path_factory.mktemp("certificates"))
    except OpensslMissing as error:
        missing(str(error))


def kafka(**values: Any) -> Kafka:
    return Kafka(**({"bootstrap_servers": "k:9092", "security_protocol": "SASL_PLAINTEXT"} | values))


def said(settings: Kafka) -> str:
    with pytest.raises(SettingsError) as caught:
        settings.client()
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    return text


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_mechanism_without_user_or_password_names_the_setting_and_its_variable(mechanism: str) -> None:
    without_user = kafka(sasl_mechanism=mechanism, sasl_password=SECRET)
    assert said(without_user) == (
        f"{mechanism} needs kafka.sasl_username; set it, or DRIFT_AWARE_KAFKA__SASL_USERNAME"
    )
    for empty in (None, ""):
        without_password = kafka(sasl_mechanism=mechanism, sasl_username="u", sasl_password=empty)
        assert "DRIFT_AWARE_KAFKA__SASL_PASSWORD" in said(without_password)


@pytest.mark.parametrize("absent", ["token_url", "client_id", "client_secret"])
def test_oauthbearer_needs_an_endpoint_and_a_client(absent: str) -> None:
    whole = {"token_url": "https://id.example.org/token", "client_id": "u", "client_secret": SECRET}
    oauth = {name: value for name, value in whole.items() if name != absent}
    text = said(kafka(sasl_mechanism="OAUTHBEARER", oauth=oauth))
    assert text.endswith(f"needs kafka.oauth.{absent}; set it, or DRIFT_AWARE_KAFKA__OAUTH__{absent.upper()}")


def test_librdkafka_gets_all_it_needs_for_a_token() -> None:
    oauth = {
        "token_url": "https://id.example.org/token",
        "client_id": "u",
        "client_secret": SECRET,
        "scope": "kafka",
        "extensions": {"logicalCluster": "lkc-1", "identityPoolId": "pool-2"},
    }
    client = kafka(sasl_mechanism="OAUTHBEARER", oauth=oauth, sasl_username="ignored").client()
    assert client == {
        "bootstrap.servers": "k:9092",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": "https://id.example.org/token",
        "sasl.oauthbearer.client.id": "u",
        "sasl.oauthbearer.client.secret": SECRET,
        "sasl.oauthbearer.scope": "kafka",
        "sasl.oauthbearer.extensions": "logicalCluster=lkc-1,identityPoolId=pool-2",
    }


def test_both_clients_get_the_same_tls(certificates: Certificates) -> None:
    settings = kafka(
        security_protocol="SSL",
        ssl_ca_location=certificates.ca,
        ssl_certificate_location=certificates.client,
        ssl_key_location=certificates.client_key,
        ssl_key_password=KEY_PASSWORD,
    )
    assert settings.client() == {
        "bootstrap.servers": "k:9092",
        "security.protocol": "SSL",
        "ssl.ca.location": str(certificates.ca),
        "ssl.certificate.location": str(certificates.client),
        "ssl.key.location": str(certificates.client_key),
        "ssl.key.password": KEY_PASSWORD,
        "ssl.endpoint.identification.algorithm": "https",
    }
    context = settings.ssl_context()
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1


def test_without_the_check_of_names_certificates_are_still_verified(certificates: Certificates) -> None:
    settings = kafka(security_protocol="SSL", ssl_ca_location=certificates.ca, ssl_check_hostname=False)
    assert settings.client()["ssl.endpoint.identification.algorithm"] == "none"
    assert not settings.ssl_context().check_hostname
    assert settings.ssl_context().verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("name", ["ssl_ca_location", "ssl_certificate_location", "ssl_key_location"])
def test_a_file_that_is_not_there_is_named_with_its_setting(name: str, tmp_path: Path) -> None:
    text = said(kafka(security_protocol="SSL", **{name: tmp_path / "absent.pem"}))
    assert text == f"kafka.{name}: cannot read {tmp_path / 'absent.pem'}: No such file or directory"


def test_a_file_that_is_no_pem_is_named_with_its_setting(tmp_path: Path) -> None:
    text_file = tmp_path / "some.txt"
    text_file.write_text("no certificate")
    text = said(kafka(security_protocol="SSL", ssl_ca_location=text_file))
    assert text == f"kafka.ssl_ca_location: {text_file} holds no certificate in PEM"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"ssl_key_password": None}, "cannot be used together"),
        ({"ssl_key_password": SECRET}, "cannot be used together"),
        ({"ssl_certificate_location": "broker"}, "key values mismatch"),
        ({"ssl_key_location": "ca"}, "cannot be used together"),
        ({"ssl_certificate_location": None}, "without kafka.ssl_certificate_location"),
    ],
)
def test_a_certificate_and_a_key_that_do_not_belong_together_are_an_error(
    certificates: Certificates, changed: dict[str, str | None], says: str
) -> None:
    files = {
        name: getattr(certificates, value) if name != "ssl_key_password" and value else value
        for name, value in changed.items()
    }
    values: dict[str, Any] = {
        "ssl_certificate_location": certificates.client,
        "ssl_key_location": certificates.client_key,
        "ssl_key_password": KEY_PASSWORD,
    }
    assert says in said(kafka(security_protocol="SSL", **(values | files)))
