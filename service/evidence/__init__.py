"""Evidence files: where they lie, who may see them, how long they stay."""
