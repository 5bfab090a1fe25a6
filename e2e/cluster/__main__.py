"""Entry point: works both as ``python3 -m e2e.cluster`` and as ``python3 e2e/cluster``."""

import sys
from pathlib import Path

if not __package__:
    # Run as a directory, Python puts this folder first on the path: put the repository there
    # instead, so that the modules have one name only and shadow nothing.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from e2e.cluster.cli import main

sys.exit(main(sys.argv[1:]))
