"""The listener's drivers against real brokers: no cluster, no Kubernetes."""
