"""One decision: begin, settle, advance, retry, control, end."""
