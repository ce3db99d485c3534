"""The contract of a channel: one way by which people are told."""

from collections.abc import Mapping
from typing import Any, Protocol

from drift_aware.actions.executors.notify.story import Story
from drift_aware.schema.notify_settings import Channel as Limits

# What a channel needs to find a message again; kept as JSON.
Handle = Mapping[str, Any]


class Channel(Protocol):
    """One way by which people are told.

    ``send`` and ``update`` raise ``ActionFailed`` where trying again cannot help, ``Busy`` where it can, and
    ``Unknown`` if the message may have gone out and a second one would show. None of these texts holds an
    address or a key.

    Attributes:
        name: as in the settings; also the name of the executor's step.
        limits: its section.
        incident: whether it keeps incidents that are opened and closed, so that one that is over opens none.
        edits: whether ``update`` changes the message and disturbs nobody.
    """

    @property
    def name(self) -> str: ...

    @property
    def limits(self) -> Limits: ...

    @property
    def incident(self) -> bool: ...

    @property
    def edits(self) -> bool: ...

    def plan(self) -> str:
        """Where the message would go, in a few words."""

    def digest(self, story: Story) -> list[object]:
        """What of a story is worth telling here: while it stays the same, nothing is sent."""

    def send(self, story: Story, key: str) -> Handle:
        """Send the first message; the same key again makes no second one where the channel can tell."""

    def find(self, story: Story, key: str) -> Handle | None:
        """The message of this key; None if it did not go out, or if the channel cannot tell."""

    def update(self, story: Story, key: str, handle: Handle) -> Handle:
        """Bring the message up to date, or follow it up; ``key`` is another for each change."""
