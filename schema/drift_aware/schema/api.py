"""The settings of the API: where it listens, who may ask it, and how often."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from drift_aware.schema.errors import SettingsError
from drift_aware.schema.section import Section

# ``read`` sees everything; ``act`` may also propose actions by hand.
Scope = Literal["read", "act"]
# What somebody thinks up is guessed sooner than what `drift-aware token` makes.
MIN_TOKEN_CHARACTERS = 16

Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]


class Token(Section):
    """What somebody shows to be let in: its SHA-256, or the token itself, from the environment.

    Without either it lets nobody in, and ``serve`` says so; other commands do not need it.

    Attributes:
        name: shows in the log and in the ledger.
        scopes: ``read`` sees everything, ``act`` may also propose actions and decide about them.
        sha256: of the token, as ``drift-aware token`` prints it.
        token: the token itself, best from the environment; at least 16 characters.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    scopes: list[Scope] = Field(["read"], min_length=1)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    token: Annotated[SecretStr, Field(min_length=MIN_TOKEN_CHARACTERS)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Token":
        if self.sha256 and self.token:
            raise ValueError("give `sha256` or `token`, not both")
        return self

    def digest(self) -> bytes:
        """The SHA-256 of the token.

        Raises:
            SettingsError: it has no value.
        """
        if self.sha256:
            return bytes.fromhex(self.sha256)
        if self.token is None:
            raise SettingsError(
                f"the token {self.name} of the setting api.tokens has no value; set the variable its `token` "
                "names, or make one: drift-aware token"
            )
        return fingerprint(self.token.get_secret_value())


def fingerprint(token: str) -> bytes:
    """The SHA-256 of a token. It needs no salt: tokens are long and random, and stand in no other place."""
    return hashlib.sha256(token.encode()).digest()


class Api(Section):
    """How ``serve`` answers.

    Attributes:
        host: where to listen; without tokens only this machine is allowed.
        port: 0 takes any that is free.
        tokens: who is let in.
        cors_origins: pages of other sites that may ask, as in https://board.example.
        rate_limit_per_minute: POST requests, for each token.
        database_connections: at most so many at a time.
        statement_timeout_seconds: a longer query is given up, and answered with 503.
    """

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    tokens: list[Token] = Field(default_factory=list)
    cors_origins: list[Origin] = Field(default_factory=list)
    rate_limit_per_minute: int = Field(30, ge=1)
    database_connections: int = Field(8, ge=1, le=100)
    statement_timeout_seconds: float = Field(5, gt=0, le=300)

    @model_validator(mode="after")
    def _distinct(self) -> "Api":
        if len({token.name for token in self.tokens}) < len(self.tokens):
            raise ValueError("two tokens have the same name")
        return self
