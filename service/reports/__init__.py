"""Figures for supervisors: each with numerator, denominator, window and how it is counted."""
