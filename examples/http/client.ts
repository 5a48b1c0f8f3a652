// A client of the HTTP API in TypeScript, for Node 18 or later, without dependencies: made to be copied and changed.
//
//     npm ci --prefix examples/http && npm run --prefix examples/http build
//     GESTA_KEY=gesta_... node examples/http/build/tour.js
//
// The client makes the id of an action, a UUIDv7 of its time. So where an answer is missing the action is sent again: the
// server stores an id once. The `id` of a live event is a position: whoever sends it as `Last-Event-ID` misses nothing.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** What is emitted: `user:ann` is short for `{ type: "user", id: "ann" }`. */
export type Given = { verb: string; id?: string; [field: string]: unknown };
export type Action = Given & { id: string };
export type Result = { id: string; status: string; error?: { detail: string } };

const [BATCH, WAITING] = [100, 10_000]; // actions of a request, and in the background: `later` waits while there are more
const [ANSWER, SILENCE] = [65_000, 45_000]; // the server gives up after 60 s, and a live stream says something every 15 s
const PASSING = [408, 429, 502, 503, 504];

/** The server refused: `body` is problem details (RFC 9457). */
export class Problem extends Error {
  status: number;
  body: any;
  retryAfter: number;
  constructor({ status, headers }: Response, body: any) {
    const meant = (body.errors ?? []).map((it: any) => (it.suggestion ? `; did you mean \`${it.suggestion}\`?` : ""));
    super(`${status}: ${body.detail ?? body.title}${meant.join("")} (request ${body.instance})`);
    [this.status, this.body, this.retryAfter] = [status, body, 1000 * Number(headers.get("retry-after") ?? 0)];
  }
}

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

/** Milliseconds to wait after a failure that passes by itself, at random: not all clients come back at once. */
function pause(attempt: number, error?: unknown): number {
  const { status = 503, retryAfter = 0 } = error instanceof Problem ? error : {};
  if (!PASSING.includes(status)) throw error;
  return Math.max(retryAfter, (50 + 50 * Math.random()) * 2 ** Math.min(attempt, 7));
}

export class Gesta {
  /** For so many milliseconds a server may be away. */
  patience = 60_000;
  /** Is told what the background could not store. */
  refused = (result: Result, action: Given) => console.error("not stored:", result, action);
  /** Waits until nothing is in the background any more: before `process.exit`, since else Node waits by itself. */
  flush = async () => this.sending;
  private server: { api: string; key: string; away?: number };
  private waiting: Action[] = [];
  private sending: Promise<void> | undefined;

  constructor(server: string, key: string) {
    this.server = { api: `${server.replace(/\/$/, "")}/api/v1`, key };
  }

  /** Appends an action, and answers when it is committed. */
  async emit(action: Given): Promise<{ id: string; duplicate: boolean }> {
    return JSON.parse(await this.ask("/events", JSON.stringify(form(action))));
  }

  /** Appends actions in batches, and tells of each what became of it, in their order. */
  async *emitMany(actions: Iterable<Given>): AsyncGenerator<Result> {
    let batch: Action[] = [];
    for (const action of actions) {
      if (batch.push(form(action)) < BATCH) continue;
      yield* await this.send(batch);
      batch = [];
    }
    yield* await this.send(batch);
  }

  private async send(batch: Action[]): Promise<Result[]> {
    const [results, waits]: [Result[], number[]] = [[], [0, 200, 1000, 5000]];
    for (let left = [...batch.keys()]; left.length > 0 && waits.length > 0; ) {
      await sleep(waits.shift()); // what the database does not take now, it may take then
      const lines = left.map((n) => JSON.stringify(batch[n])).join("\n");
      const answer = (await this.ask("/events:batch", lines, "application/x-ndjson")).split("\n");
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
      const failed = (error: unknown) => batch.map(({ id }) => ({ id, status: "failed", error: { detail: `${error}` } }));
      const results: Result[] = await this.send(batch).catch(failed);
      results.forEach((it, n) => /created|duplicate/.test(it.status) || this.refused(it, batch[n]!));
    }
    this.sending = undefined;
  }

  /** All actions that a search finds, newest first. */
  async *search(q = "", parameters: Record<string, string> = {}, path = "/events"): AsyncGenerator<Action> {
    for (let next = `${path}?${new URLSearchParams({ q, ...parameters })}`; next; ) {
      const page: { items: Action[]; next: string | null } = JSON.parse(await this.ask(next));
      yield* page.items;
      next = page.next?.replace(/^.*?\/api\/v1/, "") ?? ""; // on the server that the key is for
    }
  }

  /** All that was done to an object, newest first. */
  stream(object: string, parameters: Record<string, string> = {}): AsyncGenerator<Action> {
    return this.search("", parameters, `/objects/${encodeURIComponent(object).replace("%3A", "/")}/events`);
  }

  /** What is committed, without end: from now, a position or `start` on. Where null stands for an action, the log is not the
   * position's any more: what was made of it has to be made anew. */
  async *live(q = "", after = ""): AsyncGenerator<{ position: string; action: Action | null }> {
    for (let attempt = 0; ; attempt++) {
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), SILENCE);
      let [wait, text] = [pause(attempt), ""];
      try {
        const { body } = await this.open(`/events/stream?${new URLSearchParams({ q })}`, silence.signal, "", after);
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

  private async ask(path: string, body = "", media = "application/json"): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      try {
        const text = await (await this.open(path, AbortSignal.timeout(ANSWER), body, "", media)).text();
        delete this.server.away;
        return text;
      } catch (error) {
        await sleep(pause(attempt, error));
        this.server.away ??= Date.now();
        if (Date.now() > this.server.away + this.patience) throw error;
      }
    }
  }

  private async open(path: string, signal: AbortSignal, body: string, after = "", media = ""): Promise<Response> {
    const { api, key } = this.server;
    const headers = { authorization: `Bearer ${key}`, "content-type": media, "last-event-id": after };
    const sent = body ? { method: "POST", body } : {};
    const response = await fetch(api + path, { headers, signal, redirect: "manual", ...sent });
    if (response.ok) return response;
    const isOurs = response.headers.get("content-type") === "application/problem+json";
    throw new Problem(response, isOurs ? await response.json() : { title: response.statusText });
  }
}
