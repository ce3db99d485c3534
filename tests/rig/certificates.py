"""Certificates of an authority that exists for one run of the tests, made with openssl."""

import shutil
import subprocess
from pathlib import Path

KEY_PASSWORD = "key-password-7"
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


class OpensslMissing(Exception):
    """There is no openssl on this machine."""


class Certificates:
    """An authority, a broker on 127.0.0.1 and a client with an encrypted key; and an authority of nobody's.

    Args:
        folder: where the PEM files go.

    Raises:
        OpensslMissing: there is no openssl.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            raise OpensslMissing("certificates for tests need openssl on PATH; Debian's package is openssl")
        self._folder = folder
        self.ca, self.another_ca = self._authority("ca"), self._authority("another-ca")
        self.broker, broker_key = self._signed("broker", "IP:127.0.0.1")
        self.client, self.client_key = self._signed("client", "DNS:client", KEY_PASSWORD)
        # Kafka wants the key and what vouches for it in one file.
        self.broker_both = folder / "broker-both.pem"
        self.broker_both.write_text(broker_key.read_text() + self.broker.read_text())

    def _authority(self, name: str) -> Path:
        certificate, key = self._files(name)
        self._openssl(
            *("req", "-x509", *_NEW_KEY, "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", str(key), "-out", str(certificate)),
        )
        return certificate

    def _signed(self, name: str, alternative: str, password: str = "") -> tuple[Path, Path]:
        certificate, key = self._files(name)
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n")
        protection = ("-passout", f"pass:{password}") if password else ("-nodes",)
        self._openssl(
            *("req", *_NEW_KEY, *protection, "-subj", f"/CN={name}"),
            *("-keyout", str(key), "-out", str(request)),
        )
        self._openssl(
            *("x509", "-req", "-in", str(request), "-days", "2", "-CAcreateserial"),
            *("-CA", str(self.ca), "-CAkey", str(self.ca.with_suffix(".key"))),
            *("-extfile", str(extensions), "-out", str(certificate)),
        )
        return certificate, key

    def _files(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.pem", self._folder / f"{name}.key"

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
