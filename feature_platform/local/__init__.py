"""The embedded stack: real servers as child processes, for a laptop, the demo and the tests."""
