"""Read recordings, streams and stills; choose looks; gate on change; watch camera health."""
