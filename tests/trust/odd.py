"""Values that no page or program of ours sends, and calls made of them by the JSON schema of what is asked.

Knows JSON schemas. Does not know what is called.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings, strategies as st

Schema = dict[str, Any]
# The same calls in every run, however long each takes.
SAME = settings(derandomize=True, database=None, suppress_health_check=list(HealthCheck))
ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**63,
    10**400,
    1.5,
    -1e300,
    "",
    "a",
    "0",
    "\0",
    "x" * 2000,
    "../..",
    "nan",
]
ODD += [[], [None], ["a"], {}, {"a": 1}, {"source": "drawn"}, [[]], "data:image/png;base64,AAAA"]
ODD += ["'; drop table jobs; --", "😀", "folder:/etc", "file:/etc/passwd#1"]


def fitting(schema: Schema, known: list[Any]) -> st.SearchStrategy[Any]:
    """Values that a field of this JSON schema may take, or nearly."""
    names = st.sampled_from([*known, "gone", "", "a"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([fitting(one, known) for one in schema["anyOf"]])
    if schema.get("type") == "array":
        return st.lists(fitting(schema["items"], known), max_size=3)
    return {
        "string": names,
        "integer": st.sampled_from([0, 1, 7, -1, 2**53]),
        "number": st.sampled_from([0.5, 0, -3.5, 1e9]),
        "boolean": st.booleans(),
        "null": st.none(),
    }.get(schema.get("type", ""), st.just({"source": "drawn"}))


def calls(schema: Schema, defined: Schema, known: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Calls that fit the schema of an object, and those with a field missing, odd, or too many. defined: by name."""
    given = schema.get("properties", {})
    fields = {name: fitting(resolved(kind, defined), known) for name, kind in given.items()}
    odd = st.sampled_from(ODD)
    proper = st.fixed_dictionaries(fields)
    changed = st.fixed_dictionaries({}, optional={name: one | odd for name, one in fields.items()})
    more = st.builds(
        lambda call, name, value: {**call, name: value}, proper, st.sampled_from([*fields, "self", "x"]), odd
    )
    return st.one_of(proper, changed, more)


def resolved(kind: Schema, defined: Schema) -> Schema:
    """The schema that is meant, where one names another."""
    return defined[kind["$ref"].rpartition("/")[2]] if "$ref" in kind else kind
