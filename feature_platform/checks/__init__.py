"""Checks: rows that stand in the store, compared with a recount of the events that they are of."""
