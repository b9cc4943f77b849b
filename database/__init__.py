"""Talking to PostgreSQL past Django's cursors, for the way of every post; knows no model."""
