"""Counts added up by the hour and the day, exact at every moment."""
