"""Conformalized quantile regression and the conformal methods it is compared with."""
