"""A client of the HTTP API in Python 3.9 or later, standard library only: made to be copied and changed.

    GESTA_KEY=gesta_... python3 examples/http/tour.py

The client makes the id of an action, a UUIDv7 of its time. So where an answer is missing the action is sent again: the
server stores an id once. The `id` of a live event is a position: whoever sends it as `Last-Event-ID` misses nothing.
"""

import atexit, itertools, json, os, queue, random, secrets, sys, threading, time, uuid
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, urlencode, urlsplit

BATCH, WAITING = 50, 10_000  # actions of a request, of which the largest fit into its 16 MiB, and of the background
ANSWER, SILENCE = 65, 45  # seconds; the server gives up after 60, and a live stream says something every 15
PASSING = {408, 429, 502, 503, 504}


class Problem(Exception):
    """The server refused: `status`, `kind` (such as `missing-scope`), `body` (problem details, RFC 9457)."""

    def __init__(self, answer):
        is_ours = answer.getheader("Content-Type") == "application/problem+json"
        self.body = json.loads(answer.read()) if is_ours else {"title": answer.reason}
        self.status, self.kind = answer.status, self.body.get("type", "").rpartition("/")[2]
        self.retry_after = int(answer.getheader("Retry-After", 0)) if is_ours else 0
        text = f"{self.status} {self.kind}: {self.body.get('detail') or self.body['title']}"
        meant = (f"; did you mean `{it['suggestion']}`?" for it in self.body.get("errors", []) if "suggestion" in it)
        super().__init__(f"{text}{''.join(meant)} (request {self.body.get('instance')})")


def form(fields):
    """An action with an id of now. `user:ann` is short for `{"type": "user", "id": "ann"}`."""
    millis, nanos = divmod(time.time_ns(), 1_000_000)
    high = millis << 16 | 0x7000 | nanos * 4096 // 1_000_000
    action = {"id": str(uuid.UUID(int=high << 64 | 2 << 62 | secrets.randbits(62))), **fields}
    short = (role for role in ("actor", "object", "target") if isinstance(fields.get(role), str))
    return {**action, **{role: dict(zip(("type", "id"), fields[role].split(":", 1))) for role in short}}


def pauses():
    """Seconds between attempts, at random: not all clients come back at once."""
    return (random.uniform(0.05, 0.1) * 2 ** min(n, 7) for n in itertools.count())


def wait(pause, error):
    """Waits for what passes by itself."""
    if getattr(error, "status", 503) not in PASSING:
        raise error
    time.sleep(max(pause, getattr(error, "retry_after", 0)))


class Gesta:
    def __init__(self, server, key, patience=60, refused=lambda *what: print("not stored:", *what, file=sys.stderr)):
        """`patience`: so many seconds a server may be away. `refused` is told what the background could not store."""
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
            results, left, waits = {}, range(len(batch)), [0, 0.2, 1, 5]
            while left and waits:
                time.sleep(waits.pop(0))  # what the database does not take now, it may take then
                body = "\n".join(json.dumps(batch[n]) for n in left)
                for n, line in zip(left, self._ask("/events:batch", body, "application/x-ndjson").split("\n")):
                    results[n] = {**json.loads(line), "id": batch[n]["id"]}
                left = [n for n in left if results[n]["status"] == "failed"]
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
            path = page["next"] and page["next"].partition("/api/v1")[2]  # on the server that the key is for

    def stream(self, object, **parameters):
        """All that was done to an object, newest first."""
        return self.search(path=f"/objects/{quote(object, safe=':').replace(':', '/', 1)}/events", **parameters)

    def live(self, q="", after=""):
        """`(position, action)` of what is committed, without end: from now, a position or `start` on. Where None stands
        for an action, the log is not the position's any more: what was made of it has to be made anew."""
        attempts = pauses()
        for event in iter(dict, None):  # of each connection its own: what was told in part comes again
            try:
                with self._open("/events/stream?" + urlencode({"q": q}), after=after, timeout=SILENCE) as lines:
                    for line in lines:
                        if line.strip():
                            name, _, value = line.decode().partition(":")
                            event[name] = value.strip()
                            continue
                        attempts, after, told, event = pauses(), event.get("id", after), event, {}
                        if "data" in told:
                            yield after, None if told.get("event") == "reset" else json.loads(told["data"])
                raise ConnectionResetError("the server has ended the stream")
            except (Problem, OSError, HTTPException) as error:
                wait(next(attempts), error)

    def _ask(self, *request):
        for pause in pauses():
            try:
                with self._open(*request) as answer:
                    text, self.away = answer.read().decode().rstrip(), None
                    return text
            except (Problem, OSError, HTTPException) as error:
                wait(pause, error)
                self.away = self.away or time.monotonic()
                if time.monotonic() > self.away + self.patience:
                    raise

    def _open(self, path, body=None, media="application/json", after="", timeout=ANSWER):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": media, "Last-Event-ID": after}
        connect = HTTPSConnection if self.server.scheme == "https" else HTTPConnection
        connection = connect(self.server.netloc, timeout=timeout)
        connection.request("POST" if body else "GET", self.server.path + path, body and body.encode(), headers)
        answer = connection.getresponse()
        if answer.status >= 300:
            raise Problem(answer)
        return answer
