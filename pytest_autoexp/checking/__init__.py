"""Measuring whether a task is worth its place: gold, needed, sharp, fair, sealed, solvable."""
