"""From a frame to a look: what of the view is seen in it, and what is added over time."""
