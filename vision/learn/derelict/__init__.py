"""The second stage: crops of vehicles, the classifier that judges them, and its measurement."""
