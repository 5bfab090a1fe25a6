"""Measures how fast Penstock is beside bare Jobs, on one machine in one run."""
