"""`make demo`: a flow goes from `git push` to Jobs, live, on a cluster that make has brought up."""
