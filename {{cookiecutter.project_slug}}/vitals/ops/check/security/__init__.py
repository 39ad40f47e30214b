"""Security as a checklist that runs: `make security`. One file for each group of checks."""
