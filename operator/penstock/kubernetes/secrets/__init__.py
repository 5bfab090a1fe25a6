"""How secrets reach a pod by name, and in which Secrets they stand."""
