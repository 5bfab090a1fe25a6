"""What the engine asks and is told, and what each kind of task says of itself."""
