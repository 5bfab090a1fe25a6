"""The core tasks: a file for each, or for each family."""
