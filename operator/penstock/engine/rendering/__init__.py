"""Expressions with the variables of an execution."""
