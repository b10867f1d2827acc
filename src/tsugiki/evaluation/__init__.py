"""Pure functions on arrays: metrics, intervals, calibration, label issues, duplicates."""
