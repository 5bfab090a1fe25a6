"""When an execution starts by itself. Pure: dates in, dates out."""
