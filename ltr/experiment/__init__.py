"""The paper's experiment: composed, run round by round, resumed."""
