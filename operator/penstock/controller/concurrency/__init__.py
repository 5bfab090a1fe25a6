"""Concurrency: how many executions run at once, who waits, and who comes next."""
