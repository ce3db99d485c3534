"""The Collector's settings on the page about OpenTelemetry: what this machine can see of them."""

import yaml

from drift_aware.schema.settings import Settings
from rig.pages import ROOT, blocks

PAGE = ROOT / "docs" / "integrations" / "otlp.md"


def test_the_collectors_topics_are_the_ones_that_are_read() -> None:
    (block,) = [each for each in blocks(PAGE.read_text()) if each.said("file") == "otelcol.yaml"]
    config = yaml.safe_load(block.text)
    exporter, otlp = config["exporters"]["kafka"], Settings().otlp
    assert exporter["traces"] == {"topic": otlp.spans_topic, "encoding": "otlp_proto"}
    assert exporter["logs"] == {"topic": otlp.logs_topic, "encoding": "otlp_proto"}
    for pipeline in config["service"]["pipelines"].values():
        assert set(pipeline["receivers"]) <= config["receivers"].keys()
        assert set(pipeline["exporters"]) <= config["exporters"].keys()
