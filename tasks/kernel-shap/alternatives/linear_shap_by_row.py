"""kshap/closed_form.py::linear_shap: the mean over background rows comes last."""

from kshap.arrays import Explanation, FloatArray
from kshap.models import LinearModel


def linear_shap(model: LinearModel, x: FloatArray, background: FloatArray) -> Explanation:
    per_row = (x - background) * model.weights
    return Explanation(float(model(background).mean()), per_row.mean(axis=0))
