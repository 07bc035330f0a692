"""SHAP values: exact, by weighted regression, by sampling, and in closed form."""
