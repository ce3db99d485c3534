"""docs/api.md says all there is to say; that what it shows works is seen to with every other page."""

import re
from pathlib import Path

from rig.api import make_app

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_every_status_an_operation_may_answer_is_explained() -> None:
    document = make_app("postgresql://localhost/none").openapi()
    answered = {
        status
        for path in document["paths"].values()
        for operation in path.values()
        for status in operation["responses"]
    }
    explained = set(re.findall(r"\b[45]\d\d\b", TEXT))
    assert {status for status in answered if status >= "400"} - {"500"} <= explained
