"""Generates files from the models: the CRDs, the JSON Schema for editors, the reference.

The models are the one place that defines the shape of a resource. `python -m penstock.schema`
writes everything that follows from them; with `--check` it tells which files are stale instead.
"""
