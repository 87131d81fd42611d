"""Violations scored on events that are known to be in the recordings."""
