"""A dispatch platform to try the whole loop with: speaks all interfaces, handles, misbehaves."""
