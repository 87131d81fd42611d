"""Archives judged again: other zones, rules or a newer memory, and what that changes."""
