"""Who is told what DETECT sees, while it sees it."""

from drift_aware.schema.alerts import Alert, Readings


class Observer:
    """Listens to nothing; override what is of interest. No method may block or raise."""

    def closed(self, readings: Readings) -> None:
        """A pane has closed; of panes that waited for a baseline, once more with what it says of them."""

    def opened(self, alert: Alert) -> None:
        """An alert has opened; once, not again for its later revisions. After a crash it may open again."""

    def dropped(self) -> None:
        """All partitions are given up; those that stay are taken over anew."""
