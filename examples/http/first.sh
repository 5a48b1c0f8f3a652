#!/bin/sh
# The first minute with the API: `gesta serve` in one terminal, these lines in another.

server=${GESTA_SERVER:-http://127.0.0.1:8080}
key=${GESTA_KEY:-$(cat ~/.local/share/gesta/first.key)}

# Ann closes an issue.
curl -sS -H "Authorization: Bearer $key" --json '{
  "actor": { "type": "user", "id": "ann" },
  "verb": "close",
  "object": { "type": "issue", "id": "70" },
  "changes": { "status": ["open", "closed"] }
}' "$server/api/v1/events"

# Who closed what?
curl -sS -H "Authorization: Bearer $key" "$server/api/v1/events?q=verb:close"

# The same as it happens, from the first one on. Ctrl-C ends it.
exec curl -sSN -H "Authorization: Bearer $key" "$server/api/v1/events/stream?q=verb:close&after=start"
