"""pytest-autoexp: masked research code as pytest tests."""
