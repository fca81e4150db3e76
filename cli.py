"""The command line: each verb imports its own module when it is called."""


def main() -> int:
    """Run the command line and return its exit code."""
    return 0
