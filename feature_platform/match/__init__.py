"""Compares what was served with what the events say that was known then: the match rate."""
