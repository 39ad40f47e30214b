"""Measurements of what requests cost: `make baseline` and `make compare`."""
