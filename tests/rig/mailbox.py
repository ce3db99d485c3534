"""A real SMTP server that keeps what it is sent, with TLS and a login if asked for."""

import asyncio
import ssl
import threading
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

USER, PASSWORD = "drift", "s3cret-of-the-mailbox"


class Mailbox:
    """Takes mail on a free port of 127.0.0.1 while it is entered.

    Args:
        certificate: file with a certificate and its key; offers STARTTLS and wants a login.

    Attributes:
        letters: what has been accepted.
        replies: SMTP answers to the next letters in place of accepting them; one that begins with 2 accepts.
        refused: addresses that do not exist.
    """

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.letters: list[EmailMessage] = []
        self.replies: list[str] = []
        self.refused: set[str] = set()
        extra: dict[str, Any] = {}
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
            extra = {
                "tls_context": context,
                "require_starttls": True,
                "authenticator": _authenticate,
                "auth_required": True,
            }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        made = self._loop.create_server(lambda: SMTP(self, loop=self._loop, **extra), "127.0.0.1", 0)
        self._server = self._loop.run_until_complete(made)

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, server: object, session: object, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:  # noqa: N802
        reply = self.replies.pop(0) if self.replies else "250 OK"
        if reply.startswith("2"):
            letter = message_from_bytes(envelope.content or b"", policy=default)  # type: ignore[arg-type]
            assert isinstance(letter, EmailMessage)
            self.letters.append(letter)
        return reply

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        open_still = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_still:
            task.cancel()
        await asyncio.gather(*open_still, return_exceptions=True)


def _authenticate(server: object, session: object, envelope: object, kind: str, login: object) -> AuthResult:
    expected = LoginPassword(USER.encode(), PASSWORD.encode())
    # Not handled: the server itself says what came of it.
    return AuthResult(success=login == expected, handled=False)
