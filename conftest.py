"""What every test of this repository may use; conftest files of a user's own look like this."""

pytest_plugins = ["pytester"]
