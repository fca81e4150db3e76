"""What AWS's service models say about the requests that handlers send, known without AWS and botocore."""
