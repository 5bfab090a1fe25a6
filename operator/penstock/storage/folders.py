"""Placeholders for the folders of an attempt in rendered text.

When the expressions of an attempt are rendered, nobody knows where it will run. Whatever runs it
replaces these texts by its real folders.
"""

from __future__ import annotations

WORKING_DIR = "/penstock/working-dir"
"""The text to which `{{ workingDir }}` is rendered."""
OUTPUT_DIR = "/penstock/output-dir"
"""The text to which `{{ outputDir }}` is rendered."""
