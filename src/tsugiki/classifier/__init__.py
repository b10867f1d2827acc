"""Backbone, head, classes, preprocessing and calibration as one thing; how it answers; its files."""
