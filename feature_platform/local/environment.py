"""The environment of children: what they need of ours, and not the secrets of everybody else."""

import os
import re
from collections.abc import Mapping, Sequence

BASE = (
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|XDG_\w+",
    r"JAVA_HOME|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|LD_LIBRARY_PATH|MALLOC_\w+",
    r"PYTHON\w*|VIRTUAL_ENV|COVERAGE_\w+|FP_STACK",
    r"SSL_CERT_FILE|SSL_CERT_DIR|(?i:https?_proxy|no_proxy|all_proxy)",
)
"""Names that every child may have; FP_STACK says whose it is."""
FLINK = (r"FLINK_\w+|HADOOP_\w+|KRB5\w*",)
SPARK = (
    r"SPARK_\w+|HADOOP_\w+|KRB5\w*",
    r"AWS_\w+|AZURE_\w+|GOOGLE_APPLICATION_CREDENTIALS|GOOGLE_CLOUD_PROJECT",
)
"""With what the clients of object stores look for their credentials in."""


def chosen(
    patterns: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the variables of ours that a child gets.

    Args:
        patterns: Expressions of names beside those that every child gets.
        environment: Ours; read instead of the process's own, for tests.
    """
    environment = os.environ if environment is None else environment
    wanted = re.compile("|".join((*BASE, *patterns)))
    return {name: value for name, value in environment.items() if wanted.fullmatch(name)}
