"""Settings of a zone by their paths: what is put in is read back, and what was there stays."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.review.zone_fields import value_at, with_value

KEYS = st.sampled_from(["schedule", "permits", "windows", "from", "to"])
DOCUMENTS = st.recursive(
    st.integers(0, 9) | st.text("abc", min_size=1, max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=8,
)
SETTINGS = st.dictionaries(KEYS, DOCUMENTS, max_size=4)


def paths(document: Any) -> list[tuple[str | int, ...]]:
    """Paths of everything that a document holds."""
    steps: list[tuple[str | int, Any]] = []
    if isinstance(document, dict):
        steps = list(document.items())
    elif isinstance(document, list):
        steps = list(enumerate(document))
    return [path for key, one in steps for path in [(key,), *((key, *p) for p in paths(one))]]


@given(SETTINGS, st.data())
def test_a_value_is_put_where_it_is_read(document: dict[str, Any], data: st.DataObject) -> None:
    known = paths(document)
    if not known:
        return
    path = data.draw(st.sampled_from(known))
    changed = with_value(document, path, "new")
    assert value_at(changed, path) == "new"
    assert with_value(changed, path, value_at(document, path)) == document
    for other in known:
        shared = min(len(other), len(path))
        if other[:shared] != path[:shared]:
            assert value_at(changed, other) == value_at(document, other)


def test_what_a_path_leads_through_is_made_and_an_empty_value_takes_away() -> None:
    zone = with_value({"id": "a"}, ("schedule", "from"), "2026-05-04")
    assert zone == {"id": "a", "schedule": {"from": "2026-05-04"}}
    assert with_value(zone, ("schedule", "from"), None) == {"id": "a", "schedule": {}}
    rows = {"permits": [{"id": "P-1"}, {"id": "P-2"}]}
    assert with_value(rows, ("permits", 0), None) == {"permits": [{"id": "P-2"}]}
    assert with_value(rows, ("permits", 1, "id"), "") == {"permits": [{"id": "P-1"}, {}]}
    assert value_at(rows, ("permits", 7, "id")) is None
