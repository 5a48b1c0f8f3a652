// A client of the HTTP API in TypeScript, for Node 18 or later, without dependencies: made to be copied and changed.
//
//     npm ci --prefix examples/http && npm run --prefix examples/http build
//     GESTA_KEY=gesta_... node examples/http/build/tour.js
//
// The client makes the id of an action, a UUIDv7 of its time. So where an answer is missing the action is sent again:
// the server stores an id once. The `id` of a live event is a position: who sends it as `Last-Event-ID` misses nothing.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, pause } from "./server.ts";

export { Problem } from "./server.ts";

/** What is emitted: `user:ann` is short for `{ type: "user", id: "ann" }`. */
export type Given = { verb: string; id?: string; [field: string]: unknown };
export type Action = Given & { id: string };
export type Result = { id: string; status: string; error?: { detail: string } };

const [BATCH, WAITING] = [50, 10_000]; // actions of a request, whose largest fit into 16 MiB, and of the background
const SILENCE = 45_000; // a live stream says something every 15 s

let last = 0n;

/** An action with an id of now, greater than the one before. */
function form(given: Given): Action {
  const now = BigInt(Date.now()) << 12n;
  last = now > last ? now : last + 1n;
  const [, a, b, c] = /(.{8})(.{4})(.{3})/.exec(last.toString(16).padStart(15, "0"))!;
  const action: Action = { id: `${a}-${b}-7${c}-${randomUUID().slice(19)}`, ...given };
  for (const role of ["actor", "object", "target"]) {
    const [, type, id] = /^(.*?):(.*)$/s.exec(typeof action[role] === "string" ? action[role] : "") ?? [];
    if (type) action[role] = { type, id };
  }
  return action;
}

export class Gesta {
  /** Is told what the background could not store. */
  refused = (result: Result, action: Given) => console.error("not stored:", result, action);
  /** Waits until nothing is in the background any more: before `process.exit`, since else Node waits by itself. */
  flush = async () => this.sending;
  private server: Server;
  private waiting: Action[] = [];
  private sending: Promise<void> | undefined;

  /** `patience`: for so many milliseconds a server may be away. */
  constructor(url: string, key: string, patience = 60_000) {
    this.server = new Server(`${url.replace(/\/$/, "")}/api/v1`, key, patience);
  }

  /** Appends an action, and answers when it is committed. */
  async emit(action: Given): Promise<{ id: string; duplicate: boolean }> {
    return JSON.parse(await this.server.ask("/events", JSON.stringify(form(action))));
  }

  /** Appends actions in batches, and tells of each what became of it, in their order. */
  async *emitMany(actions: Iterable<Given>): AsyncGenerator<Result> {
    const batch: Action[] = [];
    for (const action of actions) {
      if (batch.push(form(action)) === BATCH) yield* await this.send(batch.splice(0));
    }
    yield* await this.send(batch);
  }

  private async send(batch: Action[]): Promise<Result[]> {
    const [results, waits]: [Result[], number[]] = [[], [0, 200, 1000, 5000]];
    for (let left = [...batch.keys()]; left.length > 0 && waits.length > 0; ) {
      await sleep(waits.shift()); // what the database does not take now, it may take then
      const lines = left.map((n) => JSON.stringify(batch[n])).join("\n");
      const answer = (await this.server.ask("/events:batch", lines, "application/x-ndjson")).split("\n");
      left.forEach((n, place) => (results[n] = { ...JSON.parse(answer[place]!), id: batch[n]!.id }));
      left = left.filter((n) => results[n]!.status === "failed");
    }
    return results;
  }

  /** Appends an action in the background: what comes meanwhile is the next batch. */
  async later(given: Given): Promise<void> {
    const action = form(given);
    while (this.waiting.length >= WAITING) await this.sending;
    this.waiting.push(action);
    this.sending ??= this.work();
  }

  private async work(): Promise<void> {
    for (await sleep(0); this.waiting.length > 0; ) {
      const batch = this.waiting.splice(0, BATCH);
      const results: Result[] = await this.send(batch).catch((error) =>
        batch.map(({ id }) => ({ id, status: "failed", error: { detail: `${error}` } })),
      );
      results.forEach((it, n) => /created|duplicate/.test(it.status) || this.refused(it, batch[n]!));
    }
    this.sending = undefined;
  }

  /** All actions that a search finds, newest first. */
  async *search(q = "", parameters: Record<string, string> = {}, path = "/events"): AsyncGenerator<Action> {
    for (let next = `${path}?${new URLSearchParams({ q, ...parameters })}`; next; ) {
      const page: { items: Action[]; next: string | null } = JSON.parse(await this.server.ask(next));
      yield* page.items;
      next = page.next?.replace(/^.*?\/api\/v1/, "") ?? ""; // on the server that the key is for
    }
  }

  /** All that was done to an object, newest first. */
  stream(object: string, parameters: Record<string, string> = {}): AsyncGenerator<Action> {
    return this.search("", parameters, `/objects/${encodeURIComponent(object).replace("%3A", "/")}/events`);
  }

  /** What is committed, without end: from now, a position or `start` on. Where null stands for an action, the log is
   * not the position's any more: what was made of it has to be made anew. */
  async *live(q = "", after = ""): AsyncGenerator<{ position: string; action: Action | null }> {
    for (let attempt = 0; ; attempt++) {
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), SILENCE);
      let [wait, text] = [pause(attempt), ""];
      try {
        const path = `/events/stream?${new URLSearchParams({ q })}`;
        const { body } = await this.server.open(path, silence.signal, { "last-event-id": after });
        for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
          timer.refresh();
          const blocks = (text + chunk).split("\n\n");
          text = blocks.pop()!;
          for (const block of blocks) {
            const told = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/, 2)));
            [attempt, after] = [0, told.id ?? after];
            if (told.data) yield { position: after, action: told.event === "reset" ? null : JSON.parse(told.data) };
          }
        }
      } catch (error) {
        wait = pause(attempt, error); // also within an event: that comes again
      } finally {
        clearTimeout(timer);
        silence.abort();
      }
      await sleep(wait);
    }
  }
}
