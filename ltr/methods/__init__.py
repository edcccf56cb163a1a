"""Methods: how the lanes of an arm train, each a step on a lane that knows nothing of the loop."""
