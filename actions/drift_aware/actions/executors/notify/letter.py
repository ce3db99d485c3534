"""Mail by SMTP: a plain and an HTML part.

The ``Message-ID`` follows from the key, so a message sent twice is one message, and what follows it up refers
to it, so that it stands in the same thread.
"""

import smtplib
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate
from html import escape

import stamina

from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.executors.notify import templates
from drift_aware.actions.executors.notify.channel import Handle
from drift_aware.actions.executors.notify.slack import COLOURS, OVER
from drift_aware.actions.executors.notify.story import HEADINGS, Story, clip
from drift_aware.actions.executors.notify.wire import Busy
from drift_aware.schema.errors import SettingsError
from drift_aware.schema.notify_settings import Notify

_SUBJECT_CHARACTERS = 200
# Of SMTP's answers, those that may be another the next time.
_PASSING = range(400, 500)
_CELL = 'style="padding:2px 12px 2px 0;text-align:left"'


class Letter:
    """Mail to the addresses of the section.

    Args:
        notify: the section ``notify``.
        host: the server.
        names: what a template may name.
        now: Unix time in seconds.

    Raises:
        SettingsError: a template or a certificate cannot be read.
    """

    name = "email"
    incident = False
    edits = False

    def __init__(
        self, notify: Notify, host: str, names: Mapping[str, str], now: Callable[[], float] = time.time
    ) -> None:
        self.limits = self._settings = notify.email
        self._host, self._now = host, now
        self._timeout, self._attempts = notify.timeout_seconds, notify.attempts
        self._template = templates.read(notify.email.template, names)
        try:
            self._tls = ssl.create_default_context(cafile=notify.email.ca_file)
        except (OSError, ssl.SSLError):
            raise SettingsError(f"cannot read certificates from {notify.email.ca_file}") from None

    def plan(self) -> str:
        """Where the message would go."""
        return f"mail to {', '.join(self._settings.to)}"

    def digest(self, story: Story) -> list[object]:
        """What weighs enough for another message."""
        return story.weighty()

    def send(self, story: Story, key: str) -> Handle:
        """Send the first of the thread; see ``Channel``."""
        return self._send(story, key, None)

    def find(self, story: Story, key: str) -> Handle | None:
        """Nothing: it cannot be asked; a second one has the same ``Message-ID``."""
        del story, key
        return None

    def update(self, story: Story, key: str, handle: Handle) -> Handle:
        """Send another one into the thread."""
        self._send(story, key, handle)
        return handle

    def _send(self, story: Story, key: str, root: Handle | None) -> Handle:
        message = self.compose(story, key, root)
        for attempt in stamina.retry_context(
            Busy, attempts=self._attempts, timeout=None, wait_initial=0.5, wait_max=8.0
        ):
            with attempt:
                refused = self._deliver(message)
        handle = {"message_id": str(message["Message-ID"])}
        return {**handle, "refused": sorted(refused)} if refused else handle

    def compose(self, story: Story, key: str, root: Handle | None = None) -> EmailMessage:
        """The message.

        Args:
            story: what it tells.
            key: what its ``Message-ID`` is made of.
            root: of the first message of the thread; None if this is the first.
        """
        settings = self._settings
        assert settings.sender is not None
        message = EmailMessage()
        message["Subject"] = clip(story.title, _SUBJECT_CHARACTERS)
        message["From"] = settings.sender
        message["To"] = ", ".join(settings.to)
        message["Date"] = formatdate(self._now())
        message["Message-ID"] = f"<{key}@{settings.sender.partition('@')[2]}>"
        # Absences and other robots are not to answer.
        message["Auto-Submitted"] = "auto-generated"
        if root is not None:
            message["In-Reply-To"] = message["References"] = str(root["message_id"])
        text = templates.plain(self._template, story, templates.aligned([HEADINGS, *story.rows]))
        message.set_content(text + "\n")
        html = _html(story) if self._template is None else f"<pre>{escape(text)}</pre>"
        message.add_alternative(f"<!doctype html><html><body>{html}</body></html>\n", subtype="html")
        return message

    def _deliver(self, message: EmailMessage) -> Sequence[str]:
        """Hand it to the server; who of several was refused. Texts of errors may quote a login."""
        try:
            server = self._connect()
            try:
                return list(server.send_message(message))
            finally:
                # What it has accepted is accepted, however the goodbye goes.
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()
        except smtplib.SMTPRecipientsRefused as error:
            code = max((code for code, _ in error.recipients.values()), default=0)
            raise _judged(code, "every address is refused; check notify.email.to") from None
        except smtplib.SMTPResponseException as error:
            raise _judged(error.smtp_code, "check notify.email") from None
        except smtplib.SMTPNotSupportedError:
            raise ActionFailed(
                "the mail server offers no STARTTLS, or no login; check notify.email.security"
            ) from None
        except ssl.SSLCertVerificationError:
            raise ActionFailed(
                "the mail server's certificate is not accepted; check notify.email.host and ca_file"
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise Busy(
                f"the mail server does not answer ({type(error).__name__}); check notify.email.host and port"
            ) from None

    def _connect(self) -> smtplib.SMTP:
        settings, timeout = self._settings, self._timeout
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, settings.port, timeout=timeout, context=self._tls
            )
        else:
            server = smtplib.SMTP(self._host, settings.port, timeout=timeout)
        try:
            if settings.security == "starttls":
                server.starttls(context=self._tls)
            if settings.user:
                secret = settings.password
                server.login(settings.user, secret.get_secret_value() if secret else "")
        except BaseException:
            server.close()
            raise
        return server


def make(notify: Notify, names: Mapping[str, str]) -> Letter | None:
    """The channel of the section; None if it has no server."""
    return None if notify.email.host is None else Letter(notify, notify.email.host, names)


def _judged(code: int, advice: str) -> Exception:
    if code in _PASSING:
        return Busy(f"the mail server is busy (SMTP {code}); it is asked again later")
    return ActionFailed(f"the mail server refuses the message (SMTP {code}); {advice}")


def _html(story: Story) -> str:
    colour = OVER if story.over else COLOURS[story.severity]
    heading = f'<h2 style="border-left:6px solid {colour};padding-left:8px">{escape(story.title)}</h2>'
    parts = [heading, f"<p>{escape(story.summary)}</p>", _table(story)]
    if story.news:
        parts.append("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in story.news) + "</ul>")
    links = [f'<a href="{escape(address)}">{escape(words)}</a>' for words, address in story.links]
    parts += [f"<p>{' | '.join(links)}</p>"] if links else []
    parts += [f"<p><small>{escape(story.kept_back)}</small></p>"] if story.kept_back else []
    return "".join(parts)


def _table(story: Story) -> str:
    head = "".join(f"<th {_CELL}>{name}</th>" for name in HEADINGS)
    rows = ["".join(f"<td {_CELL}>{escape(cell)}</td>" for cell in row) for row in story.rows]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
