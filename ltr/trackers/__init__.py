"""Experiment tracking: the curves of a run in TensorBoard, MLflow or Weights & Biases."""
