"""The files of a task: how they get into its working directory, and which are kept."""
