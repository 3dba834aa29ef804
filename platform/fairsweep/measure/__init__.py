"""Metrics in SQL: the base views over a store, one view per metric, and the summary of them all."""
