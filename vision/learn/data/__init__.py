"""Labelled pictures: read in any layout, checked, counted, looked at, built into data sets."""
