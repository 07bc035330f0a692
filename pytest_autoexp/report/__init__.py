"""What a run leaves: texts, JUnit properties, results.jsonl, artifacts, the final table."""
