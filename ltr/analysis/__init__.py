"""Early stop, statistics, claims: reads tables, knows nothing of JAX."""
