from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vision.observe.ledger import Interval, Ledger

entries = st.lists(
    st.tuples(
        st.sampled_from([Interval.OBSERVED, Interval.BRIDGED, Interval.UNKNOWN]),
        st.integers(1, 10**10),
        st.booleans(),
    )
)


@given(entries)
def test_no_microsecond_is_lost(some):
    ledger = Ledger()
    for interval, us, seen in some:
        ledger.add(interval, us, seen=seen or interval is Interval.OBSERVED)
    parts = (
        ledger.observed_us
        + ledger.bridged_us
        + ledger.unknown_us
        + ledger.pending_bridged_us
        + ledger.pending_unknown_us
    )
    assert parts == sum(us for _, us, _ in some)


def test_what_passed_since_the_last_sight_is_no_dwell_of_what_left():
    ledger = Ledger()
    ledger.add(Interval.OBSERVED, 5_000_000, seen=True)
    ledger.add(Interval.BRIDGED, 2_000_000, seen=False)
    ledger.add(Interval.UNKNOWN, 3_000_000, seen=False)
    assert ledger.dwell().total_s == 10
    assert ledger.dwell(until_last_seen=True).total_s == 5


def test_what_was_hidden_counts_as_bridged_once_it_is_seen_again():
    ledger = Ledger()
    ledger.add(Interval.BRIDGED, 2_000_000, seen=False)
    ledger.add(Interval.BRIDGED, 2_000_000, seen=True)
    assert ledger.dwell(until_last_seen=True).bridged_s == 4
