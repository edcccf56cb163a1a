"""Early stop, statistics, claims: functions of tables, without JAX."""
