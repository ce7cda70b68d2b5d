"""The feature log: a sample of what was served, sent to a topic."""
