#!/bin/sh
# scylla-driver 3.29.12: statements run by `cassandra.concurrent` have no timeout at all.
#
# Guess: `execute_concurrent_with_args` uses the session's `default_timeout` (10 s) or the
#        `request_timeout` of the execution profile, as `session.execute` does.
# Seen:  it passes `timeout=None` to `execute_async`, and the driver takes None for "wait as long as
#        it takes". A node that is frozen, not dead, holds the call until a heartbeat of the
#        connection fails: idle_heartbeat_interval plus idle_heartbeat_timeout, a minute by default.
# So:    feature_platform/store/concurrently.py submits statements itself, all within one deadline.
#
# Output: timeout of a concurrent statement: None
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'scylla-driver==3.29.12'
seen=$("$folder/venv/bin/python" - <<'END'
from cassandra.concurrent import execute_concurrent_with_args


class Future:
    def add_callbacks(self, callback, callback_args, errback, errback_args):
        callback([], *callback_args)

    def clear_callbacks(self):
        pass

    _col_names = _col_types = ()
    has_more_pages = False
    row_factory = None


class Session:
    default_timeout = 10.0

    def execute_async(self, statement, parameters, timeout="the session's", **_):
        print(f"timeout of a concurrent statement: {timeout}")
        return Future()


execute_concurrent_with_args(Session(), "SELECT 1", [()])
END
)
echo "$seen"
[ "$seen" = "timeout of a concurrent statement: None" ]
