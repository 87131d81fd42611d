"""Violations and cases as stored things: taken in, listed, told of."""
