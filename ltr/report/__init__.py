"""Tables, sentences and figures of a run, from its tables and their analysis, without JAX."""
