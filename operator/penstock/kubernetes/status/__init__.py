"""What of an Execution's status is kept beside it, and the Executions that it makes."""
