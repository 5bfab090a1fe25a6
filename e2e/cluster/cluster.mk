# A real Kubernetes on this machine, for tests and demonstrations; see e2e/cluster/README.md.

CLUSTER_ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../..)
CLUSTER_PYTHON ?= python3
CLUSTER = cd $(CLUSTER_ROOT) && $(CLUSTER_PYTHON) -m e2e.cluster

.PHONY: cluster-up cluster-down cluster-status cluster-kubeconfig cluster-image

cluster-up: ## Bring up a Kubernetes on this machine (or use the one that KUBECONFIG names)
	@$(CLUSTER) up $(UP_ARGS)

cluster-down: ## Remove that Kubernetes and all its traces
	@$(CLUSTER) down

cluster-status: ## Say what of it runs
	@$(CLUSTER) status

cluster-kubeconfig: ## Print the path of its kubeconfig, and nothing else
	@$(CLUSTER) kubeconfig

cluster-image: ## Build this repository's image and load it into the cluster
	@$(CLUSTER) build-image --load
