"""The script that makes the built-in vocabulary."""
