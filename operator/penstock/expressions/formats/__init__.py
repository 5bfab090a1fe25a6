"""Data formats that filters and functions read and write."""
