"""Proof of a violation: stills, before and after, clip, masking, hashes."""
