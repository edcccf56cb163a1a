"""Networks, by the name that `model=...` takes."""
