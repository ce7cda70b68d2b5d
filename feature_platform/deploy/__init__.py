"""Bringing plans about: the executor of stages, Flink's REST interface, savepoints, topics, status."""
