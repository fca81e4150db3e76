"""The embedded cloud: Step Functions, Lambda, SageMaker jobs and Greengrass devices on one machine."""
