"""DeepSurv: Cox proportional hazards with a neural network, and treatment recommendation."""
