"""Live looks kept, and judged again under other zones and rules."""
