"""Printing plans for a pull request: Markdown, what is refused or loses history first."""

import re
from collections.abc import Iterator, Sequence

from feature_platform.errors import Problem
from feature_platform.plan.explain import (
    HEADLINES,
    SAME,
    cost_lines,
    range_lines,
    verdict_groups,
)
from feature_platform.plan.lists import ListPlan
from feature_platform.plan.planner import Plan
from feature_platform.words import counted

TITLE = "## What deploying this would change"
LOSES = frozenset({"counts from now on", "dropped"})
"""What becomes of a name that a ranker will see other values of."""
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>()#+!|~&@:$]")


def markdown(
    plans: Sequence[Plan], lists: Sequence[ListPlan], problems: Sequence[Problem] = ()
) -> str:
    """Return plans as Markdown, without a line break at the end.

    Args:
        plans: Of feature sets.
        lists: Of feature lists.
        problems: Mistakes of definitions, which are not planned.
    """
    changed = [plan for plan in plans if plan.refusals or plan.stages]
    changed_lists = [each for each in lists if each.refusal or each.kind != "none"]
    blocks = [TITLE]
    if problems:
        mistakes = (f"* {escaped(str(problem))}" for problem in problems)
        blocks.append("\n".join([f"**{counted(len(problems), 'mistake')}**", "", *mistakes]))
    blocks += ["\n".join(_lines(plan)) for plan in sorted(changed, key=_urgency)]
    ordered = sorted(changed_lists, key=lambda each: (not each.refusal, each.name))
    blocks += ["\n".join(_list_lines(each)) for each in ordered]
    same = [plan.featureset for plan in plans if plan not in changed]
    same += [f"feature list {each.name}" for each in lists if each not in changed_lists]
    if same:
        blocks.append(f"No changes: {', '.join(map(escaped, same))}.")
    if len(blocks) == 1:
        blocks.append("Nothing is defined.")
    return "\n\n".join(blocks)


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is: nothing in it is a link, a mention or markup."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))


def _urgency(plan: Plan) -> tuple[int, str]:
    """Order plans: refused, then what loses history, what is rebuilt, and the others."""
    if plan.refusals:
        return 0, plan.featureset
    if plan.change.kind == "removed" or _loses(plan):
        return 1, plan.featureset
    return (2 if plan.change.kind == "rebuild" else 3), plan.featureset


def _loses(plan: Plan) -> bool:
    """Return whether something that is served now is served no more, or starts again."""
    served = (
        {name for each in plan.deployed.features for name in each.served}
        if (plan.deployed)
        else set()
    )
    return any(each.verdict in LOSES and each.name in served for each in plan.verdicts)


def _lines(plan: Plan) -> Iterator[str]:
    headline = HEADLINES[plan.change.kind]
    yield f"### {escaped(plan.featureset)}: {'REFUSED' if plan.refusals else headline}"
    yield ""
    yield from (f"* **refused:** {escaped(refusal)}" for refusal in plan.refusals)
    yield from (f"* because {escaped(reason)}" for reason in plan.change.reasons)
    same = plan.change.kind in SAME
    if not same and plan.verdicts:
        yield from ("", "| features | what happens | since | why |", "| --- | --- | --- | --- |")
        for group in verdict_groups(plan.verdicts):
            names = ", ".join(f"`{name}`" for name in group.names)
            what = f"**{group.verdict}**" if group.verdict in LOSES else group.verdict
            yield f"| {names} | {what} | {group.since} | {escaped(group.why)} |"
    notes = [] if same or plan.target is None else range_lines(plan.target.features)
    notes += cost_lines(plan.costs, same=same) if plan.costs else []
    if notes:
        yield ""
        yield from (f"* {escaped(note)}" for note in notes)
    if plan.stages:
        yield from ("", f"<details><summary>{counted(len(plan.stages), 'stage')}</summary>", "")
        yield from (
            f"{number}. {escaped(stage.words)}" for number, stage in enumerate(plan.stages, 1)
        )
        yield from ("", "</details>")


def _list_lines(plan: ListPlan) -> Iterator[str]:
    head, *lines = plan.lines()
    yield f"### {escaped(head)}"
    yield ""
    yield from (f"* {escaped(line)}" for line in lines)
