"""Configurations: the schema of every knob, YAML files, and words of a command line."""
