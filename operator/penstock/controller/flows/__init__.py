"""The Flow reconciler, and the revisions of flows."""
