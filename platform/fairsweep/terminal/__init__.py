"""What a terminal shows: plans, progress, findings, tables."""
