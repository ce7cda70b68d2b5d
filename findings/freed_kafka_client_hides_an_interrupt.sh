#!/bin/sh
# confluent-kafka 2.16.1: a signal that arrives while a client is freed becomes an error elsewhere.
#
# Guess: Ctrl-C raises KeyboardInterrupt where the program is, or is ignored in a destructor, as
#        Python does with whatever `__del__` raises.
# Seen:  freeing a client waits for librdkafka's threads, and looks for signals after that. The
#        handler's exception stays set when the destructor returns; the next call, of anything,
#        fails with "SystemError: ... returned a result with an exception set", or with an error
#        that replaces it, such as TypeError from the next client's own checks. `except
#        KeyboardInterrupt` does not see it. With CPython 3.11, Consumer and AdminClient.
# So:    feature_platform/interrupts.py raises KeyboardInterrupt in place of such an error.
#
# Output: SystemError where KeyboardInterrupt was raised
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'confluent-kafka==2.16.1'
seen=$("$folder/venv/bin/python" - <<'END'
import signal

from confluent_kafka.admin import AdminClient

PROPERTIES = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
freeing = False


def interrupt(number, frame):
    global freeing
    if freeing:
        freeing = False
        raise KeyboardInterrupt


signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
others = set()


def free_one():
    global freeing
    client = AdminClient(PROPERTIES)
    freeing = True
    try:
        del client
        client = AdminClient(PROPERTIES)
        freeing = False
    except KeyboardInterrupt:
        pass
    except Exception as error:
        others.add(type(error).__name__)


for _ in range(2_000):
    free_one()
signal.setitimer(signal.ITIMER_REAL, 0)
print(", ".join(sorted(others)) or "nothing", "where KeyboardInterrupt was raised")
END
)
echo "$seen"
case $seen in SystemError*) ;; *) exit 1 ;; esac
