"""The pod of an attempt: its containers, its prelude, its files."""
