"""The commands of `ltr`, one file each; what a command needs is imported when it runs."""
