"""Which rows and epochs may be relied upon, and what a row was as of one of them. Pure."""
