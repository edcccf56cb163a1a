"""Runs of several processes: who they are, how they hear of each other, and how one's end ends the others."""
