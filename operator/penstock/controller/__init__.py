"""How the engine meets Kubernetes: a coalescing queue, three reconcilers and thin kopf handlers."""
