"""The page in which people work: log in, review candidates, watch over the whole."""
