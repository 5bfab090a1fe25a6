"""The GitSource reconciler: from a commit to Flows and namespace files."""
