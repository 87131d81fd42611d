"""Elements that do their work in the browser; each has its script beside it."""
