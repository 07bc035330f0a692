"""Reading and checking ``task.yaml``, and finding the code that it names."""
