"""The top floor: one file per verb."""
