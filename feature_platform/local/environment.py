"""The environment of children: what they need of ours, and not the secrets of everybody else."""

import os
import re
from collections.abc import Mapping, Sequence

from feature_platform.settings import KAFKA_PASSWORD, Settings, kafka_password

BASE = (
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|XDG_\w+",
    r"JAVA_HOME|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|LD_LIBRARY_PATH|MALLOC_\w+",
    r"PYTHON\w*|VIRTUAL_ENV|COVERAGE_\w+|FP_STACK",
    r"SSL_CERT_FILE|SSL_CERT_DIR|(?i:https?_proxy|no_proxy|all_proxy)",
)
"""Names that every child may have; FP_STACK says whose it is."""
FLINK = (r"FLINK_\w+|HADOOP_\w+|KRB5\w*",)
SPARK = (r"SPARK_\w+|HADOOP_\w+|KRB5\w*",)
OBJECT_STORES = (r"AWS_\w+|AZURE_\w+|GOOGLE_APPLICATION_CREDENTIALS|GOOGLE_CLOUD_PROJECT",)
"""Where their clients look for credentials."""


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


def kafka_secret(settings: Settings) -> dict[str, str]:
    """Return the variable that Kafka's clients find their password in, if they log in.

    Raises:
        SettingsError: It is not in our environment.
    """
    secret = kafka_password(settings.kafka.security)
    return {KAFKA_PASSWORD: secret} if secret else {}
