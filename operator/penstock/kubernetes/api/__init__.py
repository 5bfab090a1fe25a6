"""The API server: calls, names, labels, and values kept in ConfigMaps."""
