"""What a metric is: a name that says its unit, labels of which there are few, and what it is good for.

A role declares its metrics as a class; an object of the class has them on a registry:

>>> class Kettle(Instruments, roles=("worker",)):
...     heat = level("kettle_celsius", "How hot the water is.", unit="degrees", use="Tea at 96.")
>>> registry = make_registry()
>>> Kettle(registry).heat.set(96)
>>> registry.get_sample_value("kettle_celsius"), Kettle.heat.unit
(96.0, 'degrees')
"""

from collections.abc import Callable
from typing import ClassVar, Generic, Literal, Self, TypeVar, overload

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

Kind = Literal["counter", "gauge", "histogram"]
Role = Literal["worker", "persist", "act", "serve", "ingest", "embed", "canary"]
T = TypeVar("T", bound=MetricWrapperBase)


class Metric(Generic[T]):
    """One declared metric; read from an object of its class it is the instrument.

    Attributes:
        name: as Prometheus shows it, of a counter with ``_total``.
        kind: of Prometheus.
        about: what the number is; ``/metrics`` says it too.
        unit: what is counted or measured.
        use: which question it answers, or when it is bad.
        labels: their names; every label has few values.
        make: puts the instrument on a registry.
    """

    def __init__(
        self,
        kind: Kind,
        make: Callable[[CollectorRegistry], T],
        name: str,
        about: str,
        *,
        unit: str,
        use: str,
        labels: tuple[str, ...] = (),
    ) -> None:
        self.kind, self.name, self.about = kind, name, about
        self.unit, self.use, self.labels = unit, use, labels
        self.make = make

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...

    @overload
    def __get__(self, owner: "Instruments", kind: type) -> T: ...

    def __get__(self, owner: "Instruments | None", kind: type) -> Self | T:
        if owner is None:
            return self
        made: T = owner.made[self.name]  # type: ignore[assignment]
        return made


def count(name: str, about: str, *, unit: str, use: str, labels: tuple[str, ...] = ()) -> Metric[Counter]:
    """Declare what only grows; ``name`` ends with ``_total``."""

    def make(registry: CollectorRegistry) -> Counter:
        return Counter(name, about, labels, registry=registry)

    return Metric("counter", make, name, about, unit=unit, use=use, labels=labels)


def level(name: str, about: str, *, unit: str, use: str, labels: tuple[str, ...] = ()) -> Metric[Gauge]:
    """Declare what rises and falls."""

    def make(registry: CollectorRegistry) -> Gauge:
        return Gauge(name, about, labels, registry=registry)

    return Metric("gauge", make, name, about, unit=unit, use=use, labels=labels)


def spread(
    name: str, about: str, *, unit: str, use: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
) -> Metric[Histogram]:
    """Declare a distribution, counted up to each of ``buckets``."""

    def make(registry: CollectorRegistry) -> Histogram:
        return Histogram(name, about, labels, registry=registry, buckets=buckets)

    return Metric("histogram", make, name, about, unit=unit, use=use, labels=labels)


class Instruments:
    """The declared metrics of a class, on a registry of the caller's choice.

    Attributes:
        roles: which roles show them.
        made: name to instrument.
    """

    roles: ClassVar[tuple[Role, ...]] = ()

    def __init_subclass__(cls, roles: tuple[Role, ...] | None = None) -> None:
        if roles is not None:
            cls.roles = roles

    def __init__(self, registry: CollectorRegistry) -> None:
        self.made = {metric.name: metric.make(registry) for metric in self.declared()}

    @classmethod
    def declared(cls) -> list[Metric[MetricWrapperBase]]:
        """Its metrics in the order they are written in, those of its bases first."""
        return [
            each for base in reversed(cls.__mro__) for each in vars(base).values() if isinstance(each, Metric)
        ]


def make_registry() -> CollectorRegistry:
    """A registry without the times at which series were created: they double the series for nobody's use."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return CollectorRegistry()
