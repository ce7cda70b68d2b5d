"""What Dagster loads: every feature set as assets, and the sensors that watch over their jobs."""

from feature_platform.orchestration.catalogue import definitions

defs = definitions()
