"""What makes the program stop with a message instead of a model."""


class OptimizeError(Exception):
    """The job's input does not keep the contract; the message says what to change."""
