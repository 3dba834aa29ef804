"""The built-in calibration world: drawn portraits whose bias is planted and known."""
