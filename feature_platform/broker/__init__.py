"""Kafka as seen from the control plane: sending events, and what is in topics."""
