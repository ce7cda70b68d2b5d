"""`docs/from-features-to-a-model.md` runs as it stands, and its numbers are the same."""

import os
import re
import subprocess
import sys
from pathlib import Path

from feature_platform.training import TrainingSet
from tests.integration.blocks import script
from tests.integration.case import MakeProject
from tests.integration.commands import FP, variables

PAGE = Path(__file__).parents[2] / "docs" / "from-features-to-a-model.md"
TIMEOUT_S = 1_200
SHOWN_MAX = 20_000
LEAVING = 100
AUC_MIN = 0.6
"""A coin has 0.5."""


def test_a_model_is_served_what_it_learned_from(project: MakeProject) -> None:
    """Events, features, labels, a model that knows something, a log, and a match rate of 100 %."""
    settings = project({})
    environment = {**os.environ, **variables(settings)}
    environment["PATH"] = os.pathsep.join([str(FP.parent), environment["PATH"]])
    done = subprocess.run(
        ["/bin/bash", "-c", script(PAGE)],
        cwd=settings.project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    said = done.stdout
    sys.stdout.write(said[-SHOWN_MAX:])  # pytest shows it after a failure
    assert done.returncode == 0
    (auc,) = re.findall(r"^AUC ([0-9.]+)$", said, re.MULTILINE)
    assert float(auc) > AUC_MIN
    made = TrainingSet.open(settings.project / "sets" / "december").manifest
    assert made.labels is not None
    assert made.labels.status["ok"] > 10 * made.labels.status["open"] > 0
    served = TrainingSet.open(settings.project / "sets" / "served").manifest
    assert served.labels is not None
    assert served.labels.status == {"ok": LEAVING}
    assert f"match rate 100.00 % of {LEAVING * len(served.features):,} values" in said
