"""The settings of Kafka: where it is, TLS, and SASL.

One section feeds both clients: librdkafka through ``Kafka.client``, and aiokafka, which is inside Faust,
through ``Kafka.ssl_context`` and the worker. What is missing or cannot be used is said when a client is
about to be made, so that commands without Kafka do not need it.
"""

import ssl
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, HttpUrl, SecretStr

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.section import Section


class OAuth(Section):
    """Where clients get their tokens (OAuth 2.0, RFC 6749 section 4.4: client credentials).

    Attributes:
        token_url: of the identity provider's token endpoint.
        client_id: who the client is.
        client_secret: how it proves that.
        scope: what is asked for, if the provider wants one.
        ca_location: PEM file of the authority of the token endpoint's certificate; else what the system
            trusts.
        extensions: what some brokers ask for besides, for instance logicalCluster.
    """

    token_url: HttpUrl | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    scope: str | None = None
    ca_location: Path | None = None  # of the token endpoint's certificate; else what the system trusts
    # What some brokers ask for besides, for instance logicalCluster.
    extensions: dict[str, str] = Field(default_factory=dict)


class Kafka(Section):
    """Where Kafka is, and how clients prove who they are. Feeds both Kafka clients.

    Attributes:
        bootstrap_servers: address of one or more brokers, as in ``a:9092,b:9092``.
        partitions: of every topic; all topics have the same number.
        replication_factor: copies of every topic that ``topics create`` makes.
        session_timeout_seconds: a worker that has not been heard of for so long loses its partitions to
            others.
        security_protocol: TLS or not, login or not.
        sasl_mechanism: how to log in.
        sasl_username: of PLAIN and SCRAM.
        sasl_password: of PLAIN and SCRAM.
        ssl_ca_location: PEM file of the authorities that are trusted; else what the system trusts.
        ssl_certificate_location: PEM file of a certificate to show.
        ssl_key_location: PEM file of its key, if that is not in the same file.
        ssl_key_password: of the key, if it is encrypted.
        ssl_check_hostname: whether the broker's certificate must name the address.
    """

    bootstrap_servers: str | None = None
    partitions: int = Field(8, ge=1)
    replication_factor: int = Field(1, ge=1)
    session_timeout_seconds: int = Field(10, ge=6)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    oauth: OAuth = OAuth()
    ssl_ca_location: Path | None = None
    ssl_certificate_location: Path | None = None
    ssl_key_location: Path | None = None
    ssl_key_password: SecretStr | None = None
    ssl_check_hostname: bool = True

    @property
    def encrypts(self) -> bool:
        """Whether the connection is TLS."""
        return self.security_protocol.endswith("SSL")

    @property
    def logs_in(self) -> bool:
        """Whether a client says who it is by SASL."""
        return self.security_protocol.startswith("SASL")

    def client(self) -> dict[str, Any]:
        """What every librdkafka client needs to reach the broker.

        Raises:
            SettingsError: no address, half a login, or a file that cannot be used.
        """
        if not self.bootstrap_servers:
            raise SettingsError("no Kafka address; set KAFKA_BOOTSTRAP_SERVERS, for instance localhost:9092")
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        if self.logs_in:
            self.require_login()
            config |= {"sasl.mechanisms": self.sasl_mechanism} | self._login()
        if self.encrypts:
            self.ssl_context()
            config |= {
                "ssl.ca.location": self.ssl_ca_location,
                "ssl.certificate.location": self.ssl_certificate_location,
                "ssl.key.location": self.ssl_key_location or self.ssl_certificate_location,
                "ssl.key.password": self.ssl_key_password,
                "ssl.endpoint.identification.algorithm": "https" if self.ssl_check_hostname else "none",
            }
        return {name: _plain(value) for name, value in config.items() if value is not None}

    def require_login(self) -> None:
        """See that the mechanism has what it needs.

        Raises:
            SettingsError: it has not.
        """
        if self.sasl_mechanism == "OAUTHBEARER":
            needs: dict[str, object] = {
                f"oauth.{name}": getattr(self.oauth, name)
                for name in ("token_url", "client_id", "client_secret")
            }
        else:
            needs = {"sasl_username": self.sasl_username, "sasl_password": self.sasl_password}
        for name, value in needs.items():
            if not _plain(value):
                variable = f"DRIFT_AWARE_KAFKA__{name.replace('.', '__').upper()}"
                raise SettingsError(f"{self.sasl_mechanism} needs kafka.{name}; set it, or {variable}")

    def ssl_context(self) -> ssl.SSLContext:
        """The same for Python's own TLS; reads every file.

        Raises:
            SettingsError: a file cannot be read, or is not what it should be.
        """
        for name in ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location"):
            _require_readable(f"kafka.{name}", getattr(self, name))
        context = trusting("kafka.ssl_ca_location", self.ssl_ca_location)
        context.check_hostname = self.ssl_check_hostname
        if self.ssl_certificate_location is None:
            if self.ssl_key_location is not None:
                raise SettingsError("kafka.ssl_key_location is set without kafka.ssl_certificate_location")
            return context
        # Never None: then OpenSSL would ask the terminal for the password of an encrypted key.
        password = self.ssl_key_password.get_secret_value() if self.ssl_key_password else ""
        try:
            context.load_cert_chain(self.ssl_certificate_location, self.ssl_key_location, password)
        except (ssl.SSLError, ValueError) as error:
            why = getattr(error, "reason", None) or "no PEM, or a wrong password"
            raise SettingsError(
                f"kafka.ssl_certificate_location, ssl_key_location and ssl_key_password cannot be used "
                f"together ({str(why).lower().replace('_', ' ')}); they must be PEM and belong together"
            ) from None
        return context

    def _login(self) -> dict[str, Any]:
        if self.sasl_mechanism != "OAUTHBEARER":
            return {"sasl.username": self.sasl_username, "sasl.password": self.sasl_password}
        oauth = self.oauth
        if oauth.ca_location is not None:
            trusting("kafka.oauth.ca_location", oauth.ca_location)
        extensions = ",".join(f"{name}={value}" for name, value in oauth.extensions.items())
        return {
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.token.endpoint.url": str(oauth.token_url),
            "sasl.oauthbearer.client.id": oauth.client_id,
            "sasl.oauthbearer.client.secret": oauth.client_secret,
            "sasl.oauthbearer.scope": oauth.scope,
            "sasl.oauthbearer.extensions": extensions or None,
            "https.ca.location": oauth.ca_location,
        }


def trusting(setting: str, authorities: Path | None) -> ssl.SSLContext:
    """TLS that trusts these authorities, or those of the system.

    Args:
        setting: what the file is called in the settings, for the error.
        authorities: a PEM file.

    Raises:
        SettingsError: it cannot be read, or holds no certificate.
    """
    _require_readable(setting, authorities)
    try:
        return ssl.create_default_context(cafile=authorities)
    except ssl.SSLError:
        raise SettingsError(f"{setting}: {authorities} holds no certificate in PEM") from None


def _require_readable(setting: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.open("rb").close()
    except OSError as error:
        raise SettingsError(f"{setting}: cannot read {path}: {error.strerror}") from None


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value
