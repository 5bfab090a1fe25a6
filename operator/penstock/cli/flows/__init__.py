"""`penstock flow …` for flows in the cluster."""
