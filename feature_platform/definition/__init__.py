"""Definitions: YAML and SQL in, checked frozen values out. Pure; knows no engine."""
