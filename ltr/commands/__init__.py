"""The commands of `ltr`, one file each: `arguments` says what it takes, `execute` does it.

What a command needs is imported when it runs.
"""

NAMES = (
    *("run", "plan", "ls", "show", "compare", "report", "export", "connect"),
    *("data", "bench", "doctor", "completion"),
)
"""In the order in which they are listed."""
