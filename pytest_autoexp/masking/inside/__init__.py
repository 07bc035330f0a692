"""What runs inside versions of a task's code: its text is put into them, nothing imports it."""
