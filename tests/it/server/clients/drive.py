"""What the tests do with client.py: emit, read or live, as the argument says."""

import os
import sys

from client import Gesta

gesta = Gesta(os.environ["GESTA_SERVER"], os.environ["GESTA_KEY"])


def action(n):
    return {"actor": "user:ann", "verb": "count", "object": "counter:a/b", "data": {"n": n}}


def first():
    for n in range(500):
        if n == 250:
            print("half", flush=True)
        yield action(n)


def emit():
    assert all(result["status"] in ("created", "duplicate") for result in gesta.emit_many(first()))
    sys.stdin.readline()
    for n in range(500, 990):
        gesta.later(**action(n))
    for n in range(990, 1000):
        gesta.emit(**action(n))


def read():
    for found in gesta.search("verb:count", limit=99):
        print("search", found["data"]["n"])
    for found in gesta.stream("counter:a/b"):
        print("stream", found["data"]["n"])


def live():
    for _, found in gesta.live("verb:count", after="start"):
        print(found["data"]["n"], flush=True)


{"emit": emit, "read": read, "live": live}[sys.argv[1]]()
