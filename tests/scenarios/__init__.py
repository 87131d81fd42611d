"""Scenarios: streets as data, seen through a detector that errs, with what ought to be raised."""
