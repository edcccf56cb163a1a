"""Methods: ways to train the lanes of an arm, each a pure step on a lane."""
