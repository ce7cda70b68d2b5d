"""Checks: rows in the store, compared with a recomputation of the events that they are of."""
