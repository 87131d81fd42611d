"""What reviewers decided, given to learn from: pictures with labels, and thresholds."""
