"""MLflow: the one place that knows it."""
