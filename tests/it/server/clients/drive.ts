// What the tests do with client.ts: emit, read or live, as the argument says.

import { once } from "node:events";
import { Gesta } from "./client.ts";

const gesta = new Gesta(process.env.GESTA_SERVER!, process.env.GESTA_KEY!);
const action = (n: number) => ({ actor: "user:ann", verb: "count", object: "counter:a/b", data: { n } });
const number = (found: { [field: string]: unknown } | null) => (found?.data as { n: number }).n;

function* first() {
  for (let n = 0; n < 500; n++) {
    if (n === 250) console.log("half");
    yield action(n);
  }
}

switch (process.argv[2]) {
  case "emit":
    for await (const { status } of gesta.emitMany(first())) {
      if (status !== "created" && status !== "duplicate") throw new Error(status);
    }
    await once(process.stdin, "data");
    process.stdin.destroy();
    for (let n = 500; n < 990; n++) await gesta.later(action(n));
    for (let n = 990; n < 1000; n++) await gesta.emit(action(n));
    break;
  case "read":
    for await (const found of gesta.search("verb:count", { limit: "99" })) console.log("search", number(found));
    for await (const found of gesta.stream("counter:a/b")) console.log("stream", number(found));
    break;
  default:
    for await (const { action: found } of gesta.live("verb:count", "start")) console.log(number(found));
}
