"""The files of a task: how they get to it, and which are kept."""
