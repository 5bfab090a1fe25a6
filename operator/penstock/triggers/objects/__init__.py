"""Triggers that look for new objects in a bucket, or for new files on a server: one file for each
sort of place."""
