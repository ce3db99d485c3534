"""A segment's name says which part of the traffic it is, and nothing else has that name."""

from hypothesis import given
from hypothesis import strategies as st

from drift_aware.schema.events import Interaction
from drift_aware.schema.segments import ALL, DIMENSIONS, OTHER, segment

values = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
traffic = st.builds(Interaction, id=st.just("1"), ts=st.just(1), **dict.fromkeys(DIMENSIONS, values))
chosen = st.lists(st.sampled_from(DIMENSIONS), unique=True)


def test_the_name_has_the_dimensions_in_the_order_of_the_settings() -> None:
    event = Interaction(id="1", ts=1, app="shop", model="gpt-4o", tenant="a=b,c%")
    assert segment(event, ["model", "app", "tenant"]) == "model=gpt-4o,app=shop,tenant=a%3Db%2Cc%25"
    assert segment(event, ["prompt_version"]) is None
    assert segment(event, []) is None


@given(traffic, traffic, chosen)
def test_two_events_share_a_name_only_if_they_share_every_value(
    one: Interaction, other: Interaction, dimensions: list[str]
) -> None:
    def place(event: Interaction) -> list[str | None]:
        return [getattr(event, name) for name in dimensions]

    assert (segment(one, dimensions) == segment(other, dimensions)) == (place(one) == place(other))


@given(traffic, chosen)
def test_no_event_has_the_name_of_the_whole_or_the_rest(event: Interaction, dimensions: list[str]) -> None:
    assert segment(event, dimensions) not in (ALL, OTHER)


@given(traffic, chosen)
def test_a_name_fits_a_key_made_of_parts(event: Interaction, dimensions: list[str]) -> None:
    name = segment(event, dimensions) or ""
    assert not set('|\n\0"') & set(name)
