"""The section ``prices``: what models cost, for the day's budget and the receipts."""

from typing import Annotated

from pydantic import Field

from drift_aware.schema.section import Section

_Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(Section):
    """Of one model, in US dollars; what is not said cannot be bought.

    Attributes:
        input_per_million: for a million tokens of questions.
        output_per_million: for a million tokens of answers.
        training_per_million: for a million tokens of training data.
        embedding_per_million: for a million tokens that are embedded.
    """

    input_per_million: _Usd | None = None
    output_per_million: _Usd | None = None
    training_per_million: _Usd | None = None
    embedding_per_million: _Usd | None = None
