"""Bringing plans about: walks stages, speaks to Flink, waits, stops, tells the status."""
