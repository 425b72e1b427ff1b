"""Doors: translation only."""
