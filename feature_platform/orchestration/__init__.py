"""Dagster: feature sets as assets, a sensor that keeps their jobs running. Wiring only."""
