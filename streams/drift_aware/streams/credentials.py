"""The same settings of Kafka for aiokafka, the client inside Faust."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import faust
from aiokafka.abc import AbstractTokenProvider

from drift_aware.schema.kafka import Kafka, OAuth, trusting

_ANSWER_SECONDS = 10.0
# A token is used for this part of its life, as librdkafka does; then there is a new one.
_USED = 0.8
_UNKNOWN_LIFE_SECONDS = 60.0


def credentials(kafka: Kafka) -> Any:
    """What a Faust app takes as ``broker_credentials``; None stands for a plain connection.

    Raises:
        SettingsError: half a login, or a file that cannot be used.
    """
    context = kafka.ssl_context() if kafka.encrypts else None
    if not kafka.logs_in:
        return faust.SSLCredentials(context) if context else None
    kafka.require_login()
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return faust.OAuthCredentials(oauth_cb=Tokens(kafka.oauth), ssl_context=context)
    assert kafka.sasl_password is not None
    return faust.SASLCredentials(
        username=kafka.sasl_username,
        password=kafka.sasl_password.get_secret_value(),
        mechanism=kafka.sasl_mechanism,
        ssl_context=context,
    )


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Tokens from the token endpoint, each used for as long as it is good.

    Args:
        oauth: where and as whom to ask; complete.
        clock: seconds that only grow.
    """

    def __init__(self, oauth: OAuth, clock: Callable[[], float] = time.monotonic) -> None:
        self._oauth, self._clock = oauth, clock
        self._context = trusting("kafka.oauth.ca_location", oauth.ca_location)
        self._token, self._until = "", 0.0
        self._one_at_a_time = asyncio.Lock()

    async def token(self) -> str:
        """A token that is good for now.

        Raises:
            OSError: the endpoint does not answer, or refuses; aiokafka tries again.
        """
        async with self._one_at_a_time:
            if not self._token or self._clock() >= self._until:
                await asyncio.to_thread(self._renew)
            return self._token

    def extensions(self) -> dict[str, str]:
        """What else the broker is to be told."""
        return self._oauth.extensions

    def _renew(self) -> None:
        asked = self._clock()
        # Settings allow http and https alone.
        with urlopen(self._request(), timeout=_ANSWER_SECONDS, context=self._context) as answer:  # noqa: S310
            found = json.load(answer)
        self._token = found["access_token"]
        self._until = asked + _USED * float(found.get("expires_in", _UNKNOWN_LIFE_SECONDS))

    def _request(self) -> Request:
        oauth = self._oauth
        assert oauth.client_secret is not None
        form = {"grant_type": "client_credentials"} | ({"scope": oauth.scope} if oauth.scope else {})
        # As they are, like the Java client and librdkafka; RFC 6749 would have them quoted first.
        who = f"{oauth.client_id}:{oauth.client_secret.get_secret_value()}"
        headers = {"Authorization": f"Basic {base64.b64encode(who.encode()).decode()}"}
        return Request(str(oauth.token_url), urlencode(form).encode(), headers)  # noqa: S310
