"""A client of the HTTP API in Python 3.9 or later, standard library only: made to be copied and changed.

    GESTA_KEY=gesta_... python3 examples/http/client.py

The client makes the id of an action, a UUIDv7 of its time. So whenever an answer is missing the action is sent again: the
server stores an id once. A page's `next` leads to what comes after it. The `id` of a live event is a position: whoever
sends it as `Last-Event-ID` misses nothing and gets nothing twice.
"""

import atexit, itertools, json, os, queue, random, secrets, sys, threading, time, uuid
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, urlencode, urlsplit

BATCH = 100  # actions of a request: also the largest stay below the 16 MiB that the server takes
WAITING = 10_000  # actions in the background; `later` waits while there are more
ANSWER, SILENCE = 65, 45  # seconds; the server gives up after 60, and a live stream says something every 15
ROLES = ("actor", "object", "target")
PASSING = {408, 429, 502, 503, 504}


class Problem(Exception):
    """The server refused: `status`, `kind` (such as `missing-scope`), `body` (problem details, RFC 9457)."""

    def __init__(self, answer):
        is_ours = answer.getheader("Content-Type") == "application/problem+json"
        self.body = json.loads(answer.read()) if is_ours else {"title": answer.reason}
        self.status, self.kind = answer.status, self.body.get("type", "").rpartition("/")[2]
        self.retry_after = int(answer.getheader("Retry-After") or 0)
        text = f"{self.status} {self.kind}: {self.body.get('detail') or self.body['title']}"
        meant = (f"; did you mean `{it['suggestion']}`?" for it in self.body.get("errors", []) if "suggestion" in it)
        super().__init__(f"{text}{''.join(meant)} (request {self.body.get('instance')})")


def form(fields):
    """An action with an id of now. `user:ann` is short for `{"type": "user", "id": "ann"}`."""
    millis, nanos = divmod(time.time_ns(), 1_000_000)
    high = millis << 16 | 0x7000 | nanos * 4096 // 1_000_000
    made = str(uuid.UUID(int=high << 64 | 2 << 62 | secrets.randbits(62)))
    short = {role: it.split(":", 1) for role, it in fields.items() if role in ROLES and isinstance(it, str)}
    return {"id": made, **fields, **{role: {"type": kind, "id": name} for role, (kind, name) in short.items()}}


def pauses():
    """Seconds between attempts, at random: not all clients come back at once."""
    return (random.uniform(0.05, 0.1) * 2 ** min(n, 7) for n in itertools.count())


class Gesta:
    def __init__(self, server, key, patience=60, refused=lambda *why: print("not stored:", *why, file=sys.stderr)):
        """`patience`: seconds of a server's absence for which requests are repeated. `refused` is told (result, action)."""
        self.server, self.key, self.patience = urlsplit(server.rstrip("/") + "/api/v1"), key, patience
        self.refused, self.away, self.waiting, self.thread = refused, None, queue.Queue(WAITING), None
        self.flush = self.waiting.join  # waits until nothing is in the background any more

    def emit(self, **action):
        """Appends an action: `{"id": ..., "duplicate": ...}` when it is committed."""
        return json.loads(self._ask("/events", json.dumps(form(action))))

    def emit_many(self, actions):
        """Appends actions in batches: `{"id": ..., "status": ..., "error": ...}` of each, in their order."""
        actions = map(form, actions)
        while batch := list(itertools.islice(actions, BATCH)):
            results, left = {}, range(len(batch))
            for pause in (0.2, 1, 5, 0):  # what the database does not take now, it may take then
                lines = self._ask("/events:batch", "\n".join(json.dumps(batch[n]) for n in left), "application/x-ndjson")
                results.update((n, {**json.loads(line), "id": batch[n]["id"]}) for n, line in zip(left, lines.split("\n")))
                left = [n for n in left if results[n]["status"] == "failed"]
                if not left:
                    break
                time.sleep(pause)
            yield from results.values()

    def later(self, **action):
        """Appends an action in the background, before the program ends: what comes meanwhile is the next batch."""
        if not (self.thread and self.thread.is_alive()):  # as in a process that was forked
            self.thread = threading.Thread(target=self._work, daemon=True)
            self.thread.start()
            atexit.register(self.flush)
        self.waiting.put(form(action))

    def _work(self):
        while True:
            batch = [self.waiting.get()]
            while len(batch) < BATCH and not self.waiting.empty():
                batch.append(self.waiting.get())
            try:
                results = list(self.emit_many(batch))
            except Exception as error:
                results = [{"status": "failed", "error": str(error)}] * len(batch)
            for action, result in zip(batch, results):
                if result["status"] not in ("created", "duplicate"):
                    self.refused(result, action)
                self.waiting.task_done()

    def search(self, q="", path="/events", **parameters):
        """All actions that a search finds, newest first."""
        path += "?" + urlencode({"q": q, **parameters})
        while path:
            page = json.loads(self._ask(path))
            yield from page["items"]
            # Below the server that the key is for, whatever the URL begins with.
            path = page["next"] and page["next"].partition("/api/v1")[2]

    def stream(self, object, **parameters):
        """All that was done to an object, newest first."""
        kind, name = (quote(part, safe="") for part in object.split(":", 1))
        return self.search(path=f"/objects/{kind}/{name}/events", **parameters)

    def live(self, q="", after=None):
        """`(position, action)` as they are committed, without end: from now, a position or `start` on.

        An action that is None: the log is not the position's any more. Make anew what was made of it.
        """
        attempts = pauses()
        while True:
            pause, event = next(attempts), {}
            try:
                with self._open("/events/stream?" + urlencode({"q": q}), after=after, timeout=SILENCE) as lines:
                    for line in lines:
                        if line.strip():
                            name, _, value = line.decode().partition(":")
                            event[name] = value.strip()
                            continue
                        attempts, after = pauses(), event.get("id", after)
                        if "data" in event:
                            yield after, None if event.get("event") == "reset" else json.loads(event["data"])
                        event = {}
            except (Problem, OSError, HTTPException) as error:  # also within an event: that comes again
                if getattr(error, "status", 503) not in PASSING:
                    raise
                pause = max(pause, getattr(error, "retry_after", 0))
            time.sleep(pause)

    def _ask(self, *request):
        for pause in pauses():
            try:
                with self._open(*request) as answer:
                    text, self.away = answer.read().decode().rstrip(), None
                    return text
            except (Problem, OSError, HTTPException) as error:
                pause = max(pause, getattr(error, "retry_after", 0))
                passing = getattr(error, "status", 503) in PASSING
                self.away = passing and (self.away or time.monotonic())
                if not passing or time.monotonic() + pause > self.away + self.patience:
                    raise
            time.sleep(pause)

    def _open(self, path, body=None, media="application/json", after=None, timeout=ANSWER):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": media, "Connection": "close"}
        headers.update({"Last-Event-ID": after} if after else {})
        kind = HTTPSConnection if self.server.scheme == "https" else HTTPConnection
        connection = kind(self.server.netloc, timeout=timeout)
        connection.request("POST" if body else "GET", self.server.path + path, body and body.encode(), headers)
        answer = connection.getresponse()
        if answer.status >= 300:
            raise Problem(answer)
        return answer
