"""Measures of alignment, one file each, their intervals and their scale.

A metric is a module of this package that defines a subclass of `base.Metric` named as the module is:
adding one is adding one file (docs/method/metrics.md).
"""
