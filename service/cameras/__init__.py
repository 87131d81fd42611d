"""Live cameras: read, looked at in turn, judged; what is found goes to a sink."""
