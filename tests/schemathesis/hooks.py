"""What schemathesis has to know of the API that an OpenAPI document cannot say: forms of texts, lines of JSON, and that a
limit of requests is each address's."""

import itertools
import json

import schemathesis
from hypothesis import strategies as st

WORDS = st.text("abcdefghijklmnopqrstuvwxyzäß_0123456789", min_size=1, max_size=12).filter(
    lambda word: not word.isdigit()
)
LENGTHS = st.builds(lambda count, unit: f"{count}{unit}", st.integers(1, 500), st.sampled_from("smhdw"))
DATES = st.dates(min_value=__import__("datetime").date(1971, 1, 1)).map(str)
TIMES = st.one_of(
    st.sampled_from(["now", "today", "yesterday", "2026-11", "2026-11-20T14:03:00Z"]), LENGTHS, DATES
)
TERMS = st.one_of(
    WORDS.map(lambda word: f'"{word}"'),
    WORDS.map(lambda word: f"verb:{word}"),
    st.sampled_from(["actor:user:42", "-source:trigger", "has:changes", "changed:*", "object.type:issue", "outcome:ok"]),
    TIMES.map(lambda time: f"recorded:>{time}"),
    st.integers(-9999, 9999).map(lambda number: f"data.amount:>={number}"),
)
QUERIES = st.lists(TERMS, min_size=1, max_size=5).flatmap(
    lambda terms: st.sampled_from([" ".join(terms), " OR ".join(terms), f"-({' '.join(terms)})"])
)

schemathesis.openapi.format("gesta-query", QUERIES)
schemathesis.openapi.format("gesta-time", TIMES)
schemathesis.openapi.format("gesta-moment", TIMES)
schemathesis.openapi.format("gesta-cursor", st.just(""))
schemathesis.openapi.format("gesta-position", st.sampled_from(["", "start"]))
schemathesis.openapi.format("time-zone", st.sampled_from(["UTC", "Europe/Zurich", "America/New_York", "+05:30"]))


@schemathesis.serializer("application/x-ndjson")
def lines(_context, value):
    """A document as one line."""
    return value if isinstance(value, (str, bytes)) else json.dumps(value)


COUNT = itertools.count(1)


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Each request comes from an address of its own: wrong keys are tried here by the hundred."""
    n = next(COUNT)
    case.headers = case.headers or {}
    case.headers["X-Forwarded-For"] = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
