"""A watched branch: its commits, the definitions in them, and what became of each push."""
