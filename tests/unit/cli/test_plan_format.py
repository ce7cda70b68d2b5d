"""Which forms of a plan can be asked for."""

import pytest

from tests.unit.cli.running import RunFp


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--format", "html"), "'text', 'markdown'"),
        (("--format", "markdown", "--json"), "--json prints JSON: leave out one of the two"),
    ],
)
def test_a_form_that_cannot_be_is_refused(
    fp: RunFp, arguments: tuple[str, ...], reason: str
) -> None:
    """Before any server is asked."""
    ran = fp("plan", *arguments)

    assert ran.code == 2
    assert reason in " ".join(ran.messages.split())
