"""A real Kafka that lets in only those who prove who they are."""

from pathlib import Path

from rig.certificates import Certificates
from rig.kafka import KafkaServer
from rig.tokens import CLIENT_ID

USER, PASSWORD = "drift", "pass-word-3"
# With the same password by PLAIN; they may do nothing until they are granted something.
NOBODIES = (
    "app",
    "worker",
    "baseline",
    "persist",
    "act",
    "otlp",
    "embed",
    "canary",
    "dlq",
    "reader",
    "topics",
)
_SUPER_USERS = ("ANONYMOUS", USER, CLIENT_ID, "CN=client")
_USERS = " ".join(f'user_{name}="{PASSWORD}"' for name in (USER, *NOBODIES))
_MODULES = "org.apache.kafka.common.security"
_SASL_LISTENERS = ("SASL_SSL", "SASL_PLAINTEXT")
_LOGINS = {
    "plain": f"{_MODULES}.plain.PlainLoginModule required {_USERS};",
    "scram-sha-256": f"{_MODULES}.scram.ScramLoginModule required;",
    "scram-sha-512": f"{_MODULES}.scram.ScramLoginModule required;",
    # Believes what a token says without a signature; that the broker checks one is no concern of a client.
    "oauthbearer": f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required "
    'unsecuredLoginStringClaim_sub="broker";',
}


class SecureKafka(KafkaServer):
    """Beside the plain listener of the rig itself: SSL that asks for a certificate, SASL_SSL, SASL_PLAINTEXT.

    ``USER``, the client of the tokens and the certificate may do everything, ``NOBODIES`` nothing.

    Args:
        folder: as of ``KafkaServer``; certificates go there too.

    Raises:
        OpensslMissing: there is no openssl.
        KafkaUnavailable: as of ``KafkaServer``.
    """

    def __init__(self, folder: Path) -> None:
        self.certificates = Certificates(folder)
        mechanisms = ("SCRAM-SHA-256", "SCRAM-SHA-512")
        super().__init__(
            folder,
            ("SSL", *_SASL_LISTENERS),
            _properties(self.certificates),
            [f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in mechanisms],
        )


def _properties(certificates: Certificates) -> dict[str, str]:
    values = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.broker_both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.ca),
        "listener.name.ssl.ssl.client.auth": "required",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": ";".join(f"User:{name}" for name in _SUPER_USERS),
    }
    for listener in _SASL_LISTENERS:
        prefix = f"listener.name.{listener.lower()}"
        values[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(_LOGINS).upper()
        values |= {f"{prefix}.{name}.sasl.jaas.config": login for name, login in _LOGINS.items()}
    return values
