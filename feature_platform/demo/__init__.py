"""`fp demo`: a year of real flights through the whole platform, each served number recomputed."""
