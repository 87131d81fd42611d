"""Frames to detections: stateless, batched, the only expensive step."""
