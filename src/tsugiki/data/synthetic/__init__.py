"""Samples drawn by the program itself: the table, three dishes, a camera."""
