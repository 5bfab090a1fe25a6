"""Triggers that look for objects in the buckets of object stores."""
