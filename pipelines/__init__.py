"""The compiler: from the text of a pipeline spec to a Step Functions definition, with no I/O."""
