"""The runnable tasks as the controller sees them."""
