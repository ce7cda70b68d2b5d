"""Tile arithmetic: the grid, what is stored at which level, and covers. Pure; knows no engine."""
