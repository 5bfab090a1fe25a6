"""What is generated from the models: the CRDs, the JSON Schema for editors, the reference.

The models are the one place where the shape of a resource is said. `python -m penstock.schema`
writes everything that follows from them; with `--check` it says what is stale instead.
"""
