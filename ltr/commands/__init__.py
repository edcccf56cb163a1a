"""Commands of `ltr`, one file each: `arguments` declares its options, `execute` runs it.

The modules that a command needs are imported when it runs.
"""

NAMES = (
    *("run", "plan", "ls", "show", "compare", "report", "export", "connect"),
    *("data", "bench", "doctor", "completion"),
)
"""Names of the commands, in the order of the help."""
