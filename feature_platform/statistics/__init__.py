"""Statistics of what was served, by feature and day: kept, compared with another day, judged."""
