"""All that client.py does, once: GESTA_KEY=gesta_... python3 examples/http/tour.py"""

import os

from client import Gesta, Problem

gesta = Gesta(os.environ.get("GESTA_SERVER", "http://127.0.0.1:8080"), os.environ["GESTA_KEY"])

receipt = gesta.emit(actor="user:ann", verb="close", object="issue:70", changes={"status": ["open", "closed"]})
print("stored" if not receipt["duplicate"] else "was there")
reads = ({"actor": "user:bob", "verb": verb, "object": "issue:70"} for verb in ("read", "", "like"))
for result in gesta.emit_many(reads):
    print(result["status"], result.get("error", {}).get("detail", ""))
gesta.later(actor="user:bob", verb="comment", object="issue:70", data={"text": "Thanks!"})
gesta.flush()

print("Ann:", *(action["verb"] for action in gesta.search("actor:user:ann")))
print("issue 70:", *(action["verb"] for action in gesta.stream("issue:70", limit=2)))
try:
    list(gesta.search("actr:user:ann"))
except Problem as problem:
    print(problem)
for position, action in gesta.live("object:issue:70", after="start"):
    print("first:", action["verb"])  # go on behind it with `position`
    break
