"""Configuration: the schema of every knob, YAML files, and words of the command line."""
