"""Real NVP: density estimation with invertible networks of affine coupling layers."""
