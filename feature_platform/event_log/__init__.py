"""The event log: which files hold which offsets. Pure: no engine, no I/O of its own."""
