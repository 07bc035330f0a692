"""ROCKET: classification of time series with random convolutional kernels."""
