"""Sightings, zones and the clock become violations: one module a kind."""
