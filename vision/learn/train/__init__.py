"""Training of detectors on built data sets."""
