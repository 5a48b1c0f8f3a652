// All that client.ts does, once.

import { Gesta, Problem } from "./client.ts";

const gesta = new Gesta(process.env.GESTA_SERVER ?? "http://127.0.0.1:8080", process.env.GESTA_KEY!);

const changes = { status: ["open", "closed"] };
const receipt = await gesta.emit({ actor: "user:ann", verb: "close", object: "issue:70", changes });
console.log(receipt.duplicate ? "was there" : "stored");
const reads = ["read", "", "like"].map((verb) => ({ actor: "user:bob", verb, object: "issue:70" }));
for await (const { status, error } of gesta.emitMany(reads)) console.log(status, error?.detail ?? "");
await gesta.later({ actor: "user:bob", verb: "comment", object: "issue:70", data: { text: "Thanks!" } });
await gesta.flush();

for await (const { verb } of gesta.search("actor:user:ann")) console.log("Ann:", verb);
for await (const { verb } of gesta.stream("issue:70", { limit: "2" })) console.log("issue 70:", verb);
try {
  for await (const _ of gesta.search("actr:user:ann")) break;
} catch (error) {
  if (error instanceof Problem) console.log(error.message);
}
for await (const { position, action } of gesta.live("object:issue:70", "start")) {
  console.log("first:", action?.verb); // go on behind it with `position`
  break;
}
