"""The verbs of the command line, by what they act on; each imports what it needs when it is called."""
