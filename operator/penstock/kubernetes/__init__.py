"""How actions become Jobs, pods become observations, and state is kept in the API server."""
