"""The hours in which nothing is begun: pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from drift_aware.schema.action_settings import QuietHours


def is_quiet(hours: QuietHours | None, now: datetime) -> bool:
    """Whether ``now``, with a zone, lies in the quiet hours; they begin with their first minute.

    >>> night = QuietHours.model_validate({"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"})
    >>> is_quiet(night, datetime.fromisoformat("2026-03-01T05:59Z"))
    True
    >>> is_quiet(night, datetime.fromisoformat("2026-03-01T06:00Z"))
    False
    """
    if hours is None:
        return False
    local = now.astimezone(ZoneInfo(hours.timezone)).time()
    if hours.begin < hours.end:
        return hours.begin <= local < hours.end
    return local >= hours.begin or local < hours.end


def note(hours: QuietHours) -> str:
    """What an action that waits for their end has before its reason; one sentence, always the same."""
    return f"not now, for these are quiet hours until {hours.end:%H:%M} {hours.timezone}; "
