"""Detections over time become sightings: physical things that stand at one place in one view."""
