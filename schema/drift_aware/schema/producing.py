"""What the producers of all roles have in common, as librdkafka settings."""

from typing import Any

# One request at a time. Of several, the first may fail because its partition has no leader yet, as just after
# a topic was created, and the next succeed: from a producer it does not know a broker takes a first record
# with any sequence number. librdkafka concludes that all before it have arrived (rd_kafka_dr_implicit_ack):
# under load one start in fifteen lost records, and reported them as delivered.
EXACT: dict[str, Any] = {
    "enable.idempotence": True,
    "max.in.flight": 1,
    # librdkafka's own default (CRC32) would put a key elsewhere than Java, aiokafka and this package do.
    "partitioner": "murmur2_random",
}
