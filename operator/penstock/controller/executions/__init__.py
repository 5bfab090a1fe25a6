"""The Execution reconciler, and what it asks and does."""
