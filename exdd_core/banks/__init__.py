"""Banks: versions built from a data set and decisions, their detectors, comparison, drift and map.

Knows the workspace and the detector. Does not know why somebody decided, nor painting.
"""
