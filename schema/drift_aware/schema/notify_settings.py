"""The section ``notify``: who is told of an alert, by which channels, and how often at most."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from drift_aware.schema.alerts import Severity
from drift_aware.schema.section import Section

# As people write them: a user, a group of users, or one of Slack's own words.
Mention = Annotated[str, Field(pattern=r"^([UWS][A-Z0-9]{2,}|here|channel|everyone)$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


class Channel(Section):
    """What every channel has.

    Attributes:
        min_severity: what is less serious is not told here.
        max_per_hour: messages; beyond them only critical ones go out, and the next says what was withheld.
        template: a file with ``$summary`` and the like, in place of the channel's own text.
    """

    min_severity: Severity = "info"
    max_per_hour: int = Field(30, ge=1)
    template: Path | None = None


class Slack(Channel):
    """A Slack channel: by an incoming webhook, or with a bot's token, which can bring messages up to date.

    Attributes:
        webhook_url: of an incoming webhook.
        bot_token: of a bot.
        api_url: of Slack's API.
        channel: used with a token only; by its id (``C…``) a message can also be found again.
        mention: who is called to critical alerts, as in ``U02ABCDEF``, ``S0GROUP`` or ``here``.
    """

    webhook_url: SecretStr | None = None
    bot_token: SecretStr | None = None
    api_url: Url = "https://slack.com/api"
    channel: str = "#drift-alerts"
    mention: list[Mention] = Field(default_factory=list)


class Webhook(Channel):
    """A service of your own; with a ``secret`` every request is signed.

    Attributes:
        url: that messages are posted to.
        secret: of the signature.
    """

    url: SecretStr | None = None
    secret: SecretStr | None = None


class Email(Channel):
    """Mail by SMTP.

    Attributes:
        host: of the SMTP server.
        port: of the SMTP server.
        security: ``starttls``, ``tls`` from the first byte, or ``none``, which no login is sent over.
        ca_file: certificates of an authority of your own.
        user: of the login, if there is one.
        password: of the login, if there is one.
        sender: who mails come from.
        to: whom they go to.
    """

    host: str | None = None
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: Path | None = None
    user: str | None = None
    password: SecretStr | None = None
    sender: str | None = Field(None, alias="from", pattern=r"^[^\s@<>]+@[^\s@<>]+$")
    to: list[Annotated[str, Field(pattern=r"^[^\s@<>]+@[^\s@<>]+$")]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _complete(self) -> "Email":
        if self.host and not (self.sender and self.to):
            raise ValueError("mail needs `from` and `to`")
        if self.user and self.security == "none":
            raise ValueError("a login is not sent in the clear; set `security` to starttls or tls")
        return self


class PagerDuty(Channel):
    """An Events v2 integration.

    Attributes:
        routing_key: of the integration.
        url: of the Events API.
    """

    min_severity: Severity = "warning"
    routing_key: SecretStr | None = None
    url: Url = "https://events.pagerduty.com/v2/enqueue"


class Opsgenie(Channel):
    """An API integration.

    Attributes:
        api_key: of the integration.
        url: of the API.
        team: who is responsible.
    """

    min_severity: Severity = "warning"
    api_key: SecretStr | None = None
    url: Url = "https://api.opsgenie.com"
    team: str | None = None


class Notify(Section):
    """Who is told.

    Attributes:
        page_url: where people find the alerts and actions that messages link to.
        group_seconds: alerts of one metric that come so close together make one message.
        timeout_seconds: for each request.
        attempts: of a request, as long as trying again can help.
        give_up_hours: how long a channel that does not answer is tried again.
    """

    slack: Slack = Slack()
    webhook: Webhook = Webhook()
    email: Email = Email()
    pagerduty: PagerDuty = PagerDuty()
    opsgenie: Opsgenie = Opsgenie()
    page_url: Url | None = None
    group_seconds: float = Field(60, ge=0, le=3600)
    timeout_seconds: float = Field(10, gt=0, le=120)
    attempts: int = Field(4, ge=1, le=10)
    give_up_hours: float = Field(24, gt=0, le=24 * 14)
