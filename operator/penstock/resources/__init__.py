"""The custom resources of ``penstock.dev/v1alpha1`` as models: what users write, what they read."""

GROUP = "penstock.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
