"""What the command line does on AWS: release pipelines, start and watch runs, look after use cases."""
