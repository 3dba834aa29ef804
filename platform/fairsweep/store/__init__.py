"""A sweep's files: shards that appear whole or not at all, their columns, and what they are called."""

from fairsweep.store.store import Store

__all__ = ["Store"]
