"""`penstock execution …`, and how an Execution is shown while it runs."""
