"""Follows one entity from its events to its served values, and names where it goes wrong first."""
