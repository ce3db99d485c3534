"""What lies on a topic now."""

from confluent_kafka import Consumer, Message, TopicPartition

_ANSWER_SECONDS = 20.0


def records(bootstrap: str, topic: str) -> list[Message]:
    """All records of the topic, up to where it ends at the time of the call."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "records", "enable.auto.commit": False, "log_level": 2}
    )
    try:
        found = consumer.list_topics(topic, _ANSWER_SECONDS).topics[topic].partitions
        ends = {}
        for partition in found:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), _ANSWER_SECONDS)
            if high > low:
                ends[partition] = (low, high)
        consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in ends.items()])
        left = sum(high - low for low, high in ends.values())
        read: list[Message] = []
        while len(read) < left:
            messages = consumer.consume(min(500, left - len(read)), _ANSWER_SECONDS)
            assert messages, f"{len(read)} of {left} records of {topic} came within {_ANSWER_SECONDS:g} s"
            read.extend(messages)
        return read
    finally:
        consumer.close()
