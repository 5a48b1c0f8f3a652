"""A worker for "Run now": takes orders over NATS, does the work elsewhere, and reports on each object.

    pip install -r examples/python/requirements.txt
    python3 examples/actions/worker.py nats://localhost:4222 work.extraction

Start as many as you like: they share the orders. The contract that it rests on, for any language:

- An order is a message on the subject, taken in a queue group, with the JSON
  `{run, action, type, tenant, actor, reason, input, objects: [{place, id, name}]}` and a reply subject.
- A report is a *request* to that reply subject: `{objects: [{place, outcome, message}], messages: [{level, text}]}`, both
  parts may be missing. Outcomes are `done`, `skipped`, `denied`, `failed`; levels `debug` to `error`.
- `{"ok": true}` answers it as soon as it is stored. With `"stop": true` the run was cancelled: nothing more should be done.
- Whoever says nothing for longer than the action allows (`silence_s`) is given up: what is pending goes to somebody else, and
  the reply subject is gone. So a report comes at least that often, an empty one if need be, from the order's arrival on.
- A worker may be killed at any time. What it had done but not reported is asked for again, so the work itself must be told
  apart by run and place: `key` below is what Databricks calls `idempotency_token`, and Airflow `dag_run_id`.
"""

import asyncio
import json
import os
import sys

import nats
from nats.errors import NoRespondersError, TimeoutError

AT_ONCE = 4  # objects that this worker works on at a time
BEAT = 1.0  # seconds between two signs of life
DURATION = 0.05  # seconds that the work on one object takes here


class Over(Exception):
    """The order is no longer ours: the run was cancelled, or somebody else has it."""


async def extract(source, since, key):
    """Stands for the work: submits a job under its key, and waits until it has ended."""
    await asyncio.sleep(DURATION)
    if source.endswith("/broken"):
        raise RuntimeError("the source does not answer")
    print(f"extracted {source} since {since or 'ever'}, {key}", flush=True)


async def report(client, order, **said):
    """Says something about an order, and returns when it is stored."""
    try:
        reply = await client.request(order.reply, json.dumps(said).encode(), timeout=10)
    except (NoRespondersError, TimeoutError) as error:
        raise Over("nobody waits for it any more") from error
    answer = json.loads(reply.data)
    if not answer["ok"]:
        raise Over(f"the report was refused: {answer['error']}")
    if answer["stop"]:
        raise Over("the run was cancelled")


async def beat(client, order):
    """Says now and then that somebody is at it."""
    while True:
        await report(client, order)
        await asyncio.sleep(BEAT)


async def work_on(client, order, task, place, room):
    """Does the work for one object and reports on it."""
    async with room:
        told = {"place": place["place"], "outcome": "done"}
        try:
            await extract(place["id"], task["input"].get("since"), f"{task['run']}-{place['place']}")
        except RuntimeError as error:
            told |= {"outcome": "failed", "message": str(error)}
        await report(client, order, objects=[told])


async def deal_with(client, order, room):
    """An order from its arrival to its last report."""
    task = json.loads(order.data)
    try:
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(beat(client, order))
            taken = f"{len(task['objects'])} sources are taken by worker {os.getpid()}"
            await report(client, order, messages=[{"level": "info", "text": taken}])
            # Of the same group: where one learns that the order is over, the others stop.
            await asyncio.wait([group.create_task(work_on(client, order, task, place, room)) for place in task["objects"]])
            beating.cancel()
    except* Over as over:
        print(f"order of run {task['run']} is over: {over.exceptions[0]}", file=sys.stderr, flush=True)


async def main(url, subject):
    client = await nats.connect(url, max_reconnect_attempts=-1)
    orders = await client.subscribe(subject, queue="workers")
    room, open_orders = asyncio.Semaphore(AT_ONCE), set()
    print("ready", flush=True)
    async for order in orders.messages:
        # Each in a task of its own: an order that waits behind others must beat as well.
        dealing = asyncio.create_task(deal_with(client, order, room))
        open_orders.add(dealing)
        dealing.add_done_callback(open_orders.discard)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
