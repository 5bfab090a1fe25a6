"""How secrets reach a pod by name, and where they stand."""
