"""Exponential smoothing."""


class Smoother:
    """A level that follows a series."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha
        self.level: float | None = None

    def step(self, value: float) -> float:
        if self.level is None:
            self.level = value
        else:
            self.level = self.alpha * value + (1 - self.alpha) * self.level
        return self.level
