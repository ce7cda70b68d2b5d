"""Training sets: features of a list as of past instants, exactly as serving answered them."""

from feature_platform.training.api import build_served_set, build_training_set
from feature_platform.training.manifest import Manifest
from feature_platform.training.training_set import Arrays, Split, TrainingSet

__all__ = ["Arrays", "Manifest", "Split", "TrainingSet", "build_served_set", "build_training_set"]
