"""How pods, Jobs and Events tell what happened to an attempt."""
