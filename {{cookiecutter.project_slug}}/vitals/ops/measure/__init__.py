"""What does a request cost, now and before a change? `make baseline` and `make compare`."""
