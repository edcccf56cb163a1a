"""Python interface: `ltr.run`, `ltr.plan`, `ltr.load` and `ltr.compare`."""
