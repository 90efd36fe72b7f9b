"""Measures of alignment, one per file, with their intervals and their scale.

A metric is a module of this package that defines a subclass of `base.Metric` with the module's name. To add a
metric, add a file (docs/method/metrics.md).
"""
