// A consumer in JavaScript: counts the actions on each object, each action exactly once, in a file.
//
//     npm ci --prefix examples/node
//     node examples/node/consumer.mjs nats://localhost:4222 GESTA 'act.v1.>' counters.json
//
// The stream has the actions in the order of the log, and the number of a message in it only grows. So the number is all that
// a consumer has to keep, *together with the effect*: here both are one file, which is replaced as a whole. After a restart
// the next number is asked for; nothing is acknowledged. The number is believed as long as the stream has the same action
// under it (the header `Nats-Msg-Id`). If it does not, the stream was made anew; this consumer, which does not keep the ids
// of all that it has dealt with, says so and ends (consumer.py shows how to go on by tenants and ids). The same where the stream has
// dropped messages that it has not seen: PostgreSQL has all of them, `gesta tail --after POSITION` gives them.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, nanos } from "@nats-io/transport-node";

const BATCH = 500;

class Stop extends Error {}

/** The counters, and the place that they belong to. */
class State {
  constructor(path) {
    this.path = path;
    const empty = { sequence: 0, id: null, position: "start", counters: {} };
    this.now = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : empty;
  }

  /** The effects of some messages, and the place of the last one: all of it, or nothing. */
  dealWith(messages) {
    const counters = { ...this.now.counters };
    for (const message of messages) {
      const { object } = message.json();
      const name = object ? `${object.type}:${object.id}` : "";
      counters[name] = (counters[name] ?? 0) + 1;
    }
    const last = messages.at(-1);
    const [id, position] = ["Nats-Msg-Id", "Gesta-Position"].map((name) => last.headers.get(name));
    const next = { sequence: last.info.streamSequence, id, position, counters };
    const file = openSync(`${this.path}.new`, "w");
    writeSync(file, JSON.stringify(next));
    fsyncSync(file);
    closeSync(file);
    renameSync(`${this.path}.new`, this.path);
    this.now = next;
  }
}

/** The number of the first message that has not been dealt with. */
async function nextNumber(manager, stream, { sequence, id, position }) {
  const { first_seq, last_seq } = (await manager.streams.info(stream)).state;
  const kept = sequence > 0 && first_seq <= sequence && sequence <= last_seq;
  const found = kept ? (await manager.streams.getMessage(stream, { seq: sequence }))?.header.get("Nats-Msg-Id") : id;
  if (sequence > last_seq || found !== id) {
    throw new Stop(`message ${sequence} is another one: the stream was made anew; go on with gesta tail --after ${position}`);
  }
  if (first_seq > sequence + 1) {
    throw new Stop(`messages after ${sequence} were dropped; read them with gesta tail --after ${position}`);
  }
  return sequence + 1;
}

/** Deals with messages, until something has to be looked up again. */
async function follow(connection, stream, subject, state) {
  const manager = await jetstreamManager(connection);
  let number = await nextNumber(manager, stream, state.now);
  const { name } = await manager.consumers.add(stream, {
    filter_subject: subject,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: number,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(60_000),
    mem_storage: true,
  });
  const consumer = await jetstream(connection).consumers.get(stream, name);
  const messages = await consumer.consume({ max_messages: BATCH, abort_on_missing_resource: true });
  let [batch, delivered] = [[], 0];
  for await (const message of messages) {
    if (message.info.deliverySequence !== ++delivered) return; // something was lost on its way
    batch.push(message);
    if (batch.length < BATCH && message.info.pending > 0) continue;
    const last = message.info.streamSequence;
    if (last !== number + batch.length - 1) {
      // Messages on other subjects lie between these, or the stream has dropped some.
      if ((await manager.streams.info(stream)).state.first_seq > number) return;
    }
    state.dealWith(batch);
    [batch, number] = [[], last + 1];
  }
}

const [url, stream, subject, path] = process.argv.slice(2);
const { host, username, password } = new URL(url);
const login = username ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : {};
const connection = await connect({ servers: host, maxReconnectAttempts: -1, ...login });
const state = new State(path);
for (;;) {
  try {
    await follow(connection, stream, subject, state);
  } catch (error) {
    if (error instanceof Stop) {
      console.error(error.message);
      process.exit(1);
    }
    console.error(`trying again: ${error.message}`);
  }
  await new Promise((resume) => setTimeout(resume, 100 + 900 * Math.random()));
}
