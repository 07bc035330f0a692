"""Attention with linear biases: small character models that are tested on longer inputs."""
