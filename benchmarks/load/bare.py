"""A contender that takes records off the broker and does nothing with them."""

from typing import Any

from load.meter import Meter, task
from load.source import batches


def main(told: dict[str, Any]) -> None:
    """Read all."""
    meter = Meter(told["events"])
    for messages in batches(told):
        if sum(len(message.value()) for message in messages):
            meter.add(len(messages) * told["packed"])
        if meter.done:
            return


if __name__ == "__main__":
    main(task())
