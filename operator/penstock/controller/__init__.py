"""How the engine meets Kubernetes: a coalescing queue, four reconcilers and thin kopf handlers."""
