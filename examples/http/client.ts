// A client of the HTTP API in TypeScript, for Node 18 or later, without dependencies: made to be copied and changed.
//
//     npm ci --prefix examples/http && npm run --prefix examples/http build
//     GESTA_KEY=gesta_... node examples/http/build/tour.js
//
// The client makes the id of an action, a UUIDv7 of its time. So whenever an answer is missing the action is sent again: the
// server stores an id once. A page's `next` leads to what comes after it. The `id` of a live event is a position: whoever
// sends it as `Last-Event-ID` misses nothing and gets nothing twice.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** `user:ann` is short for `{ type: "user", id: "ann" }`. */
export type Resource = { type: string; id: string; name?: string | null };
export type Given = { verb: string; id?: string; [field: string]: unknown };
export type Action = { id: string; actor: Resource; verb: string; object: Resource | null; [field: string]: unknown };
export type Result = { id: string; status: string; error?: { detail: string } };

const BATCH = 100; // actions of a request: also the largest stay below the 16 MiB that the server takes
const WAITING = 10_000; // actions in the background; `later` waits while there are more
const [ANSWER, SILENCE] = [65_000, 45_000]; // the server gives up after 60 s, and a live stream says something every 15 s
const PASSING = [408, 429, 502, 503, 504];

/** The server refused: `body` is problem details (RFC 9457), `kind` such as `missing-scope`. */
export class Problem extends Error {
  status: number;
  kind: string;
  body: any;
  retryAfter: number;
  constructor(response: Response, body: any) {
    const kind = (body.type ?? "").split("/").at(-1);
    const meant = (body.errors ?? []).map((it: any) => (it.suggestion ? `; did you mean \`${it.suggestion}\`?` : ""));
    super(`${response.status} ${kind}: ${body.detail ?? body.title}${meant.join("")} (request ${body.instance})`);
    [this.status, this.kind, this.body] = [response.status, kind, body];
    this.retryAfter = 1000 * Number(response.headers.get("retry-after") ?? 0);
  }
}

let last = 0n;

/** An action with an id of now, greater than the one before. */
function form(given: Given): Given & { id: string } {
  const now = BigInt(Date.now()) << 12n;
  last = now > last ? now : last + 1n;
  const [time, random] = [last.toString(16).padStart(15, "0"), randomBytes(8)];
  random[0] = (random[0]! & 0x3f) | 0x80;
  const [, a, b, c, d, e] = `${time}${random.toString("hex")}`.match(/(.{8})(.{4})(.{3})(.{4})(.{12})/)!;
  const action: Given & { id: string } = { id: `${a}-${b}-7${c}-${d}-${e}`, ...given };
  for (const role of ["actor", "object", "target"]) {
    const [, type, id] = /^(.*?):(.*)$/s.exec(typeof action[role] === "string" ? action[role] : "") ?? [];
    if (type) action[role] = { type, id };
  }
  return action;
}

/** How long to wait after a failure, in milliseconds, at random: not all clients come back at once. */
function pause(attempt: number, error?: unknown): number {
  if (error instanceof Problem && !PASSING.includes(error.status)) throw error;
  const wait = (50 + 50 * Math.random()) * 2 ** Math.min(attempt, 7);
  return error instanceof Problem ? Math.max(wait, error.retryAfter) : wait;
}

export class Gesta {
  /** Milliseconds of a server's absence for which requests are repeated. */
  patience = 60_000;
  /** Is told what of the background could not be stored. */
  refused = (result: Result, action: Given) => console.error("not stored:", result, action);
  private api: string;
  private key: string;
  private away: number | undefined;
  private waiting: (Given & { id: string })[] = [];
  private sending: Promise<void> | undefined;

  constructor(server: string, key: string) {
    [this.api, this.key] = [`${server.replace(/\/$/, "")}/api/v1`, key];
  }

  /** Appends an action, and answers when it is committed. */
  async emit(action: Given): Promise<{ id: string; duplicate: boolean }> {
    return JSON.parse(await this.ask("/events", JSON.stringify(form(action))));
  }

  /** Appends actions in batches, and tells of each what became of it, in their order. */
  async *emitMany(actions: Iterable<Given>): AsyncGenerator<Result> {
    let batch: (Given & { id: string })[] = [];
    for (const action of actions) {
      if (batch.push(form(action)) < BATCH) continue;
      yield* await this.send(batch);
      batch = [];
    }
    if (batch.length > 0) yield* await this.send(batch);
  }

  private async send(batch: (Given & { id: string })[]): Promise<Result[]> {
    const results: Result[] = [];
    let left = [...batch.keys()];
    for (const wait of [200, 1000, 5000, 0]) {
      const lines = left.map((n) => JSON.stringify(batch[n])).join("\n");
      const answer = (await this.ask("/events:batch", lines, "application/x-ndjson")).split("\n");
      left.forEach((n, place) => (results[n] = { ...JSON.parse(answer[place]!), id: batch[n]!.id }));
      left = left.filter((n) => results[n]!.status === "failed");
      if (left.length === 0) break;
      await sleep(wait); // the database did not take these, and may the next time
    }
    return results;
  }

  /** Appends an action in the background: what comes meanwhile is the next batch. Node ends when all are sent. */
  async later(action: Given): Promise<void> {
    const formed = form(action);
    while (this.waiting.length >= WAITING) await this.sending;
    this.waiting.push(formed);
    this.sending ??= this.work();
  }

  /** Waits until nothing is in the background any more: before `process.exit`. */
  async flush(): Promise<void> {
    await this.sending;
  }

  private async work(): Promise<void> {
    await sleep(0);
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, BATCH);
      const failed = (error: unknown) => batch.map(({ id }) => ({ id, status: "failed", error: { detail: `${error}` } }));
      const results = await this.send(batch).catch(failed);
      results.forEach((it, n) => /created|duplicate/.test(it.status) || this.refused(it, batch[n]!));
    }
    this.sending = undefined;
  }

  /** All actions that a search finds, newest first. */
  async *search(q = "", parameters: Record<string, string> = {}, path = "/events"): AsyncGenerator<Action> {
    let next: string | undefined = `${path}?${new URLSearchParams({ q, ...parameters })}`;
    while (next) {
      const page: { items: Action[]; next: string | null } = JSON.parse(await this.ask(next));
      yield* page.items;
      // Below the server that the key is for, whatever the URL begins with.
      next = page.next?.slice(page.next.indexOf("/api/v1") + "/api/v1".length);
    }
  }

  /** All that was done to an object, newest first. */
  stream(object: string, parameters: Record<string, string> = {}): AsyncGenerator<Action> {
    const [, type, id] = /^(.*?):(.*)$/s.exec(object) ?? [];
    return this.search("", parameters, `/objects/${encodeURIComponent(type!)}/${encodeURIComponent(id!)}/events`);
  }

  /** Actions as they are committed, without end: from now, a position or `start` on. A null: the log is another one than
   * the position's, so make anew what was made of it. */
  async *live(q = "", after = ""): AsyncGenerator<{ position: string; action: Action | null }> {
    for (let attempt = 0; ; ) {
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), SILENCE);
      let wait = pause(attempt++);
      try {
        const path = `/events/stream?${new URLSearchParams({ q })}`;
        const response = await this.open(path, silence.signal, after ? { "last-event-id": after } : {});
        let [text, event]: [string, Record<string, string>] = ["", {}];
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          timer.refresh();
          const lines = (text + chunk).split("\n");
          text = lines.pop()!;
          for (const line of lines) {
            const [, name, value] = /^(.*?): ?(.*)$/.exec(line) ?? [];
            if (line) {
              event[name ?? line] = value ?? "";
              continue;
            }
            [attempt, after] = [0, event.id ?? after];
            if (event.data) yield { position: after, action: event.event === "reset" ? null : JSON.parse(event.data) };
            event = {};
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

  private async ask(path: string, body?: string, media = "application/json"): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      try {
        const text = await (await this.open(path, AbortSignal.timeout(ANSWER), { "content-type": media }, body)).text();
        this.away = undefined;
        return text;
      } catch (error) {
        this.away ??= Date.now();
        const wait = pause(attempt, error);
        if (Date.now() + wait > this.away + this.patience) throw error;
        await sleep(wait);
      }
    }
  }

  private async open(path: string, signal: AbortSignal, more: Record<string, string>, body?: string): Promise<Response> {
    const [headers, method] = [{ authorization: `Bearer ${this.key}`, ...more }, body ? "POST" : "GET"];
    const response = await fetch(this.api + path, { method, headers, signal, redirect: "manual", body: body ?? null });
    if (response.ok) return response;
    const isOurs = response.headers.get("content-type") === "application/problem+json";
    throw new Problem(response, isOurs ? await response.json() : { title: response.statusText });
  }
}
