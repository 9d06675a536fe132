"""Keeps a table of patients from the topic patient-events.

An offset is committed once the table is written, so a crash at any moment repeats messages and loses none; the table
ignores the repeats.

  python3 -m venv venv && venv/bin/pip install -r requirements.txt
  KAFKA_BROKERS=127.0.0.1:19092 venv/bin/python reader.py
"""

import json
import os
import signal
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from patient_table import Message, PatientTable

TOPIC = os.environ.get("KAFKA_TOPIC", "patient-events")
GROUP = os.environ.get("KAFKA_GROUP", "sample-patient-reader-py")

# The number of messages that share one transaction and one commit of their offsets.
AT_ONCE = 200

stopping = False


def stop(*_: object) -> None:
    global stopping
    stopping = True


def warn(error: KafkaError) -> None:
    """What librdkafka mends by itself, such as a broker that is away."""
    print(f"kafka: {error.name()}: {error.str()}", file=sys.stderr)


def plain(message: KafkaMessage) -> Message:
    # A header may be missing, come twice or have no value.
    trace = dict(message.headers() or []).get("traceparent")
    text = None if trace is None else trace.decode("utf-8", "replace")
    return Message(message.partition(), message.offset(), message.value(), text)


def write(consumer: Consumer, table: PatientTable) -> None:
    messages = []
    # Returns after the timeout, or as soon as AT_ONCE messages are there.
    for message in consumer.consume(AT_ONCE, timeout=0.5):
        error = message.error()
        if error is None:
            messages.append(plain(message))
        elif error.fatal():
            raise KafkaException(error)
        else:
            warn(error)
    if not messages:
        return
    outcomes = table.write(messages)
    # Messages of a partition come in order: the last one of each counts.
    last = {message.partition: message.offset for message in messages}
    print(json.dumps({"offsets": last, **outcomes}), flush=True)
    try:
        # Only now: the table is written.
        offsets = [TopicPartition(TOPIC, partition, offset + 1) for partition, offset in last.items()]
        consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException as failed:
        # The group was rearranged, or the broker is away. The messages come again, and the table ignores them.
        warn(failed.args[0])


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    table = PatientTable(os.environ.get("DATABASE", "patients.db"))
    consumer = Consumer(
        {
            # A production cluster wants security.protocol and sasl.* here.
            "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "127.0.0.1:19092"),
            "group.id": GROUP,
            "enable.auto.commit": False,
            # Where the group has no offset yet, or where its offset is older than the topic.
            "auto.offset.reset": "earliest",
            # A reader that was killed holds its partitions for this long.
            "session.timeout.ms": 10_000,
            "error_cb": warn,
        }
    )
    consumer.subscribe([TOPIC])
    try:
        while not stopping:
            write(consumer, table)
    finally:
        # Leaves the group at once, so that another instance goes on without waiting.
        consumer.close()
        table.close()


if __name__ == "__main__":
    main()
