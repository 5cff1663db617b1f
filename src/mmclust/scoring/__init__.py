"""Scores as pure functions of arrays, their intervals, and the stage that scores."""
