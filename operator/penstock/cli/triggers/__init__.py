"""`penstock trigger …`."""
