"""The internal storage as a pod sees it. Standard library only."""
