"""Active learning by core-sets: k-center selection of the points to label."""
