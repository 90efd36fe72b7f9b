"""Plumbline: one module per rule of the workflow, and the subpackages that those modules share."""
