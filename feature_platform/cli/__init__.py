"""The command line `fp`: one module per command group."""
