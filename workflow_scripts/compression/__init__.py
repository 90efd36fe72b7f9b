"""Lengths of compressed texts."""
