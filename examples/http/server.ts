// How the API is asked: with a key, again where that may help, and what it is like to be refused.

import { setTimeout as sleep } from "node:timers/promises";

const ANSWER = 65_000; // the server gives up after 60 s
const PASSING = [408, 429, 502, 503, 504];

/** The server refused: `body` is problem details (RFC 9457). */
export class Problem extends Error {
  status: number;
  body: any;
  retryAfter: number;
  constructor({ status, headers }: Response, body: any) {
    const meant = (body.errors ?? []).map((it: any) => (it.suggestion ? `; did you mean \`${it.suggestion}\`?` : ""));
    super(`${status}: ${body.detail ?? body.title}${meant.join("")} (request ${body.instance})`);
    [this.status, this.body, this.retryAfter] = [status, body, 1000 * (Number(headers.get("retry-after")) || 0)];
  }
}

/** Milliseconds to wait after a failure that passes by itself, at random: not all clients come back at once. */
export function pause(attempt: number, error?: unknown): number {
  const { status = 503, retryAfter = 0 } = error instanceof Problem ? error : {};
  if (!PASSING.includes(status)) throw error;
  return Math.max(retryAfter, (50 + 50 * Math.random()) * 2 ** Math.min(attempt, 7));
}

/** The API, and how long it may be away, in milliseconds. */
export class Server {
  private away: number | undefined;
  private api: string;
  private key: string;
  private patience: number;

  constructor(api: string, key: string, patience: number) {
    [this.api, this.key, this.patience] = [api, key, patience];
  }

  /** The body of the answer. To ask again is safe, since an id is stored once. */
  async ask(path: string, body?: string, media = "application/json"): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      try {
        const response = await this.open(path, AbortSignal.timeout(ANSWER), { "content-type": media }, body);
        const text = await response.text();
        this.away = undefined;
        return text;
      } catch (error) {
        await sleep(pause(attempt, error));
        this.away ??= Date.now();
        if (Date.now() > this.away + this.patience) throw error;
      }
    }
  }

  /** An answer that is no refusal. */
  async open(path: string, signal: AbortSignal, more: Record<string, string>, body?: string): Promise<Response> {
    const headers = { authorization: `Bearer ${this.key}`, ...more };
    const sent = body === undefined ? {} : { method: "POST", body };
    const response = await fetch(this.api + path, { headers, signal, redirect: "manual", ...sent });
    if (response.ok) return response;
    const isOurs = response.headers.get("content-type") === "application/problem+json";
    throw new Problem(response, isOurs ? await response.json() : { title: response.statusText });
  }
}
