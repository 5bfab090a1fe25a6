"""The command line: `penstock run`, `penstock flow validate`, and what runs in the cluster.

Only click is imported here and in :mod:`penstock.cli.commands`. Each command imports what it needs
when it is called, so that `penstock --help` and `penstock flow validate` start at once.
"""

from penstock.cli.start import main

__all__ = ["main"]
