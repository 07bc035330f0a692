"""Orthogonal random features and the kernel approximations they are compared with."""
