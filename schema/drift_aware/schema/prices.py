"""What a model costs; providers change it, so it is configuration."""

from pydantic import Field

from drift_aware.schema.section import Section


class Price(Section):
    """US dollars for a million tokens."""

    input_per_million: float = Field(0, ge=0)
    output_per_million: float = Field(0, ge=0)
    training_per_million: float = Field(0, ge=0)
    embedding_per_million: float = Field(0, ge=0)
