"""Tokens for aiokafka: one request for many connections, and a new token before the old one ends."""

import asyncio
from urllib.error import HTTPError

import pytest

from drift_aware.schema.kafka import OAuth
from drift_aware.streams.credentials import Tokens
from rig.tokens import CLIENT_ID, CLIENT_SECRET, SCOPE, TokenServer

LIFETIME = 100


def oauth(server: TokenServer, **values: object) -> OAuth:
    client = {"token_url": server.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return OAuth.model_validate(client | values)


def test_connections_at_the_same_time_share_one_token() -> None:
    async def ask(tokens: Tokens) -> list[str]:
        return await asyncio.gather(*(tokens.token() for _ in range(5)))

    with TokenServer() as server:
        found = asyncio.run(ask(Tokens(oauth(server, scope=SCOPE))))
    assert len(set(found)) == 1
    assert server.given == 1
    assert server.scopes == {SCOPE}


def test_a_token_is_renewed_when_four_fifths_of_its_life_are_over() -> None:
    now = 0.0

    async def ask(tokens: Tokens) -> list[int]:
        nonlocal now
        given = []
        for now in (0.0, 0.79 * LIFETIME, 0.81 * LIFETIME, 1.6 * LIFETIME, 1.62 * LIFETIME):  # noqa: B007
            await tokens.token()
            given.append(server.given)
        return given

    with TokenServer(LIFETIME) as server:
        assert asyncio.run(ask(Tokens(oauth(server), clock=lambda: now))) == [1, 1, 2, 2, 3]


def test_a_refused_client_is_an_error_without_the_secret() -> None:
    with TokenServer() as server, pytest.raises(HTTPError) as caught:
        asyncio.run(Tokens(oauth(server, client_secret="hunter2")).token())
    caught.value.close()
    assert "401" in str(caught.value)
    assert "hunter2" not in repr(caught.value)
