"""The script tasks: languages, runners, placement."""
