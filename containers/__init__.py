"""Programs that run inside SageMaker jobs."""
