"""Measures the claims about speed, memory and coverage."""
