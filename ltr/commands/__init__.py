"""Commands of `ltr`, one file each, in which `arguments` declares the options and `execute` runs the command.

The modules that a command needs are imported when it runs.
"""

NAMES = (
    "run",
    "tune",
    "plan",
    "ls",
    "jobs",
    "show",
    "compare",
    "report",
    "export",
    "connect",
    "data",
    "bench",
    "doctor",
    "completion",
)
"""Names of the commands, in the order of the help."""
