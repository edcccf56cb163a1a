"""Networks that `model=...` names, and their layers."""
