"""`fp demo`: a year of real flights through the whole platform, and every served number recounted."""
