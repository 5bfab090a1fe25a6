"""Placeholders for the folders of an attempt in rendered text.

When the expressions of an attempt are rendered, nobody knows where it will run. Whatever runs it
replaces these texts by its real folders.
"""

from __future__ import annotations

WORKING_DIR = "/penstock/working-dir"
"""What `{{ workingDir }}` is rendered to."""
OUTPUT_DIR = "/penstock/output-dir"
"""What `{{ outputDir }}` is rendered to."""
