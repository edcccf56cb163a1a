"""Engine: trains lanes with compiled programs on the available devices."""
