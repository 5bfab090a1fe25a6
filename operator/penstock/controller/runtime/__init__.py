"""What every reconciler stands on: informers and the outcomes of reconciles."""
