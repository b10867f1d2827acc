"""Judging answers of several labels per photo: metrics, their intervals, the table of predictions, doubted cells."""
