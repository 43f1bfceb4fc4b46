"""Modules that the scripts share, each with its test beside it."""
