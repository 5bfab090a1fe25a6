"""The internal storage as the controller uses it, and who may read which files."""
