"""From what the checks have found to a plan that corrects it."""

from feature_platform.checks.result import CheckReport
from feature_platform.deploy.control import deployed_snapshot
from feature_platform.deploy.downtime import measured_downtime_ms
from feature_platform.deploy.repair import check_repairable
from feature_platform.deploy.start import unfinished_repair
from feature_platform.engines.reads import Reads
from feature_platform.plan.planner import Plan
from feature_platform.plan.recovery import plan_repair


def make_repair_plan(reads: Reads, name: str, found: CheckReport) -> Plan | None:
    """Plan to correct the rows of the entities that the checks have found wrong.

    Returns:
        None if nothing is wrong; an interrupted repair is ended also then.

    Raises:
        UnknownFeatureError: It is not deployed.
        PlanRefusedError: Too many are wrong, or the event log is damaged.
    """
    deployed = deployed_snapshot(reads, name)
    begun = unfinished_repair(reads, deployed) is not None
    if not found.wrong and not begun:
        return None
    check_repairable(name, found.wrong, found.damage)
    downtime_ms = measured_downtime_ms(reads.registry, deployed)
    return plan_repair(deployed, found.wrong, begun=begun, downtime_ms=downtime_ms)
