"""Search for knobs by validation accuracy: a space of values, a study on disk, trials that are runs."""
