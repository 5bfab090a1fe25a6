"""The parts of an Execution's status that are kept beside it, and the Executions that it makes."""
