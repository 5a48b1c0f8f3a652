"""A consumer in Python: counts the actions on each object, each action exactly once, in SQLite.

    pip install -r examples/python/requirements.txt
    python3 examples/python/consumer.py nats://localhost:4222 GESTA 'act.v1.>' counters.db

The contract that it rests on, for any language:

- The stream has the actions in the order of the log. The number of a message in the stream only grows, so it is all that a
  consumer has to keep: it is stored *in the transaction of the effect*, and after a restart the next number is asked for.
  Nothing is acknowledged, and nobody has to read positions of the log.
- The number is believed as long as the stream still has the same action under it (the header `Nats-Msg-Id` names tenant and
  action). If it does not, the stream was made anew, or the broker has lost its last messages: then everything is read again
  from the first message on, and what was dealt with is left out by tenant and id; an id is unique in its tenant only. These
  may be forgotten as soon as the stream has dropped their messages (`max_age`).
- If the stream has dropped messages that this consumer has not seen, it says so and ends. PostgreSQL has all of them:
  `gesta tail --after POSITION`, with the header `Gesta-Position` of the last message; here it is in the column `position`.
"""

import asyncio
import json
import random
import sqlite3
import sys

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import Error, NotFoundError

SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (object TEXT PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS done (action TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER, id TEXT, position TEXT);
"""


class Missed(Exception):
    """Messages were dropped before this consumer had seen them."""


def deal_with(db, messages):
    """The effects of some messages, and the place of the last one, in one transaction."""
    with db:
        for message in messages:
            action = json.loads(message.data)
            name = f"{action['tenant']}/{action['id']}"
            if db.execute("INSERT OR IGNORE INTO done VALUES (?)", [name]).rowcount == 0:
                continue  # it was dealt with, and its message came again in a stream that was made anew
            thing = action.get("object")
            name = f"{thing['type']}:{thing['id']}" if thing else ""
            db.execute(
                "INSERT INTO counter VALUES (?, 1) ON CONFLICT (object) DO UPDATE SET n = n + 1", [name]
            )
        last = messages[-1]
        place = [last.metadata.sequence.stream, last.headers["Nats-Msg-Id"], last.headers["Gesta-Position"]]
        db.execute("INSERT OR REPLACE INTO place VALUES (1, ?, ?, ?)", place)


async def next_number(jet_stream, stream, db):
    """The number of the first message that has not been dealt with."""
    row = db.execute("SELECT sequence, id FROM place").fetchone()
    state = (await jet_stream.stream_info(stream)).state
    if row is None:
        number = 1
    else:
        sequence, message_id = row
        number = sequence + 1
        if state.first_seq <= sequence:
            try:
                same = (await jet_stream.get_msg(stream, sequence)).headers["Nats-Msg-Id"] == message_id
            except NotFoundError:
                same = False
            if not same:
                number = 1
        elif state.last_seq < sequence:
            number = 1
    if state.first_seq > number:
        raise Missed(f"messages {number} to {state.first_seq - 1} were dropped; read them with `gesta tail --after`")
    return number


async def follow(jet_stream, stream, subject, db):
    """Deals with messages, until something has to be looked up again."""
    number = await next_number(jet_stream, stream, db)
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=number,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=60,
        mem_storage=True,
    )
    consumer = await jet_stream.pull_subscribe(subject, stream=stream, config=config)
    delivered = 0
    while True:
        try:
            messages = await consumer.fetch(500, timeout=1)
        except asyncio.TimeoutError:
            await consumer.consumer_info()  # raises where the broker has forgotten the consumer
            continue
        first, last = messages[0].metadata.sequence, messages[-1].metadata.sequence
        if first.consumer != delivered + 1 or last.consumer != delivered + len(messages):
            return  # something was lost on its way
        if last.stream != number + len(messages) - 1:
            # Messages on other subjects lie between these, or the stream has dropped some.
            if (await jet_stream.stream_info(stream)).state.first_seq > number:
                return
        deal_with(db, messages)
        delivered, number = last.consumer, last.stream + 1


async def main(url, stream, subject, path):
    db = sqlite3.connect(path, timeout=60)
    db.execute("PRAGMA journal_mode = WAL")  # whoever reads the counters keeps nobody waiting
    db.executescript(SCHEMA)
    client = await nats.connect(url, max_reconnect_attempts=-1)
    while True:
        try:
            await follow(client.jetstream(), stream, subject, db)
        except Missed as missed:
            sys.exit(str(missed))
        except (Error, asyncio.TimeoutError, nats.errors.Error) as error:
            print(f"trying again: {error!r}", file=sys.stderr)
        await asyncio.sleep(random.uniform(0.1, 1))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
