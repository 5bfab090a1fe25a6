"""What stands for the folders of an attempt in rendered text.

Where an attempt will run is not known when its expressions are rendered. Whoever runs it puts the
real folders in the place of these.
"""

from __future__ import annotations

WORKING_DIR = "/penstock/working-dir"
"""What `{{ workingDir }}` is rendered to."""
OUTPUT_DIR = "/penstock/output-dir"
"""What `{{ outputDir }}` is rendered to."""
