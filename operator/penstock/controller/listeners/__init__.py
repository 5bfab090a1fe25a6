"""The listeners: which namespaces have one, and what it is given."""
