"""Lanes through compiled programs, on the devices that there are."""
