"""How actions become Jobs, how pods become observations, and how the API server keeps state."""
