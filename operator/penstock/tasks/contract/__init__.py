"""What tasks, pods and the controller agree on. Standard library only."""
