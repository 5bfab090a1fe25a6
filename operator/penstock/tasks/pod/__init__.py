"""What runs in the pods of tasks."""
