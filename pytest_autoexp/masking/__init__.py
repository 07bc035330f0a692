"""Functions of a code base: find them, mask them, graft an agent's bodies, draw cases."""
