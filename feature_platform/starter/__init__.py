"""The starter: what `fp init` writes into a new project."""
