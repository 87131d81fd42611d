"""From trained weights to a registered model: converted, quantised, compared, described."""
