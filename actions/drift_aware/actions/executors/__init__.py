"""What carries actions out. Each is found by the entry point group ``drift_aware.executors``."""
