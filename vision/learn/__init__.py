"""Data sets, training, export and evaluation; imported by its own commands only."""
