"""The task runs of one execution while a decision is made."""
