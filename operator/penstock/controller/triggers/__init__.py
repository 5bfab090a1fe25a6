"""What starts an Execution by itself."""
