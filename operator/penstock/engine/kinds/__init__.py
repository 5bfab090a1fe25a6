"""The tasks that the engine decides: flowables, executables, instant tasks, commands."""
