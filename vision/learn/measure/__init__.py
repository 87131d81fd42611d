"""How well a detector sees: scores, intervals, mistakes and speed on a built data set."""
