#!/bin/sh
# py4j 0.10.9.7: the text of a Java exception is fetched when it is wanted.
#
# Guess: `str(error)` of a caught `Py4JJavaError` is a text that the error holds.
# Seen:  `Py4JJavaError.__str__` sends a command to the JVM. After the gateway has been shut down,
#        for instance in a `finally` or a `with` that ends before the error is logged, `str(error)`
#        raises another exception, and the reason of the first one is gone.
# So:    backfill/main.py puts an error in words before it ends Spark's JVM.
#
# Output: while Java is there: NumberFormatException
#         afterwards: str() raises Py4JNetworkError or ConnectionRefusedError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'py4j==0.10.9.7'
seen=$("$folder/venv/bin/python" - <<'END'
import logging

from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JJavaError

logging.disable(logging.CRITICAL)
gateway = JavaGateway.launch_gateway(die_on_exit=True)
try:
    gateway.jvm.java.lang.Integer.parseInt("seven")
except Py4JJavaError as error:
    kept = error
print("while Java is there:", "NumberFormatException" if "NumberFormatException" in str(kept) else "?")
gateway.shutdown()
try:
    print("afterwards:", str(kept))
except Exception as error:  # noqa: BLE001
    print("afterwards: str() raises", type(error).__name__)
END
)
echo "$seen"
echo "$seen" | grep -q '^while Java is there: NumberFormatException$'
echo "$seen" | grep -Eq '^afterwards: str\(\) raises (Py4JNetworkError|ConnectionRefusedError)$'
