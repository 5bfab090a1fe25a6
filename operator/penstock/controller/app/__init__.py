"""The controller as a process: it watches, and leads each event to its object's queue."""
