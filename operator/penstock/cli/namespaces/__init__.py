"""`penstock namespace …`: what the flow namespaces of a Kubernetes namespace hold."""
