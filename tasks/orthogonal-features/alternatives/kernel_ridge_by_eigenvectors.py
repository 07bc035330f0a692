"""orf/regression.py::kernel_ridge: scikit-learn's kernel centring, then an eigendecomposition."""

import numpy as np
from orf.arrays import FloatArray
from sklearn.preprocessing import KernelCenterer


def kernel_ridge(
    train_kernel: FloatArray, test_kernel: FloatArray, targets: FloatArray, penalty: float
) -> Classifier:
    centerer = KernelCenterer().fit(train_kernel)
    values, vectors = np.linalg.eigh(centerer.transform(train_kernel))
    offset = targets.mean(axis=0)
    coordinates = vectors.T @ (targets - offset)
    shrunk = coordinates / (values + penalty)[:, None]
    return Classifier(
        scores=centerer.transform(test_kernel) @ (vectors @ shrunk) + offset,
        training_loss=float(((penalty * shrunk) ** 2).sum() / targets.size),
        norm=float(np.sqrt((values[:, None] * shrunk**2).sum())),
        effective_dims=float((values / (values + penalty)).sum()),
    )
