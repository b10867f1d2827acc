"""Samples drawn by the program itself: the table, three dishes, a camera."""

from tsugiki.data.drawn.sample import SAMPLES, describe_samples, draw_photo, sample_folder

__all__ = ["SAMPLES", "describe_samples", "draw_photo", "sample_folder"]
