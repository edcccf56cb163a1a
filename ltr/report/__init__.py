"""Tables, sentences and figures of a run: reads tables and analysis, knows nothing of JAX."""
