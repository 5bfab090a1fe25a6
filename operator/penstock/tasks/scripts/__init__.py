"""Script tasks: languages, runners, placement."""
