"""bench/example in sfnx: the same steps, waits, retries, fan-out and judgement.

Neither has a failure path: a step that fails for good ends the execution where it stands.
"""

from sfnx import aws, context, inline_map, state_machine


class TransientError(Exception):
    """What a handler raises when trying again may help."""


class CapacityError(Exception):
    """What a handler raises when an instance type has run out."""


class JobFailedError(Exception):
    """A target could not be compiled."""


RETRY = [
    {
        "ErrorEquals": [
            TransientError,
            aws.optimized.lambda_.errors.ServiceException,
            aws.optimized.lambda_.errors.AWSLambdaException,
            aws.optimized.lambda_.errors.SdkClientException,
            aws.optimized.lambda_.errors.ClientExecutionTimeoutException,
            aws.optimized.lambda_.errors.TooManyRequestsException,
        ],
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        "MaxAttempts": 6,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
    },
    {
        "ErrorEquals": [CapacityError],
        "IntervalSeconds": 300,
        "BackoffRate": 1.5,
        "MaxAttempts": 24,
        "MaxDelaySeconds": 3600,
    },
]


@state_machine
def cookie_defects(input: dict):
    """From labelled images to devices."""
    run = context["Execution"]["Name"]
    params = input["params"]
    labelled = aws.optimized.lambda_.invoke(
        FunctionName="${label_function_arn}",
        Payload={
            "step": "label",
            "run": run,
            "config": {
                "method": "folders",
                "dataset": params["dataset"],
                "labels": ["normal", "anomaly"],
            },
        },
        timeout=900,
        retry=RETRY,
    )
    transformed = aws.optimized.lambda_.invoke(
        FunctionName="${transform_function_arn}",
        Payload={
            "step": "transform",
            "run": run,
            "config": {
                "format": "defect",
                "split": {"train": 0.65, "validation": 0.15, "test": 0.2, "by": "hash"},
                "require": {"min_images": 40, "min_per_class": 10},
            },
            "inputs": {"labels": labelled["Payload"]["labels"]},
        },
        timeout=900,
        retry=RETRY,
    )
    manifest = transformed["Payload"]["manifest"]
    trained: dict = aws.optimized.lambda_.invoke(
        FunctionName="${train_function_arn}",
        Payload={
            "step": "train",
            "run": run,
            "config": {
                "script": "train.py",
                "framework": {"name": "sklearn", "version": "1.4-2"},
                "instance": "ml.m5.xlarge",
                "volume_gb": 30,
                "hyperparameters": {"epochs": params["epochs"]},
                "gate": [
                    {"metric": "recall", "op": ">=", "threshold": 0.9},
                    {"metric": "accuracy", "op": ">=", "threshold": 0.9},
                ],
            },
            "inputs": {"manifest": manifest},
            "assets": {"source": "${asset_train_source}"},
            "token": context["Task"]["Token"],
        },
        pattern=".waitForTaskToken",
        timeout=86400,
        heartbeat=900,
        retry=RETRY,
    )
    model = trained["model"]

    def compile_target(target: str):
        try:
            answer: dict = aws.optimized.lambda_.invoke(
                FunctionName="${compile_function_arn}",
                Payload={
                    "step": "compile",
                    "run": run,
                    "target": target,
                    "config": {"backend": "onnxruntime", "instance": "ml.m5.xlarge", "volume_gb": 30},
                    "inputs": {"model": model, "manifest": manifest},
                    "token": context["Task"]["Token"],
                },
                pattern=".waitForTaskToken",
                timeout=21600,
                heartbeat=900,
                retry=RETRY,
            )
            return {"target": target, "artifact": answer}
        except Exception as error:
            return {"target": target, "error": str(error)}

    outcomes = inline_map(compile_target, ["x86_64-cpu", "arm64-cpu"])
    if any("error" in outcome for outcome in outcomes):
        raise JobFailedError("a target failed")
    packaged = aws.optimized.lambda_.invoke(
        FunctionName="${package_function_arn}",
        Payload={
            "step": "package",
            "run": run,
            "config": {"layout": "triton", "model": "cookie-defects"},
            "inputs": {"compiled_model": outcomes},
            "assets": {"runtime": "${asset_package_runtime}"},
        },
        timeout=900,
        retry=RETRY,
    )
    published = aws.optimized.lambda_.invoke(
        FunctionName="${publish_function_arn}",
        Payload={
            "step": "publish",
            "run": run,
            "config": {"component": "com.example.cookie-defects", "version": "auto"},
            "inputs": {"package": packaged["Payload"]["package"]},
        },
        timeout=900,
        retry=RETRY,
    )
    deployed: dict = aws.optimized.lambda_.invoke(
        FunctionName="${deploy_function_arn}",
        Payload={
            "step": "deploy",
            "run": run,
            "config": {"targets": ["thing/line-3-station-1"], "on_failure": "rollback"},
            "inputs": {"component": published["Payload"]["component"]},
            "token": context["Task"]["Token"],
        },
        pattern=".waitForTaskToken",
        timeout=7200,
        heartbeat=900,
        retry=RETRY,
    )
    return {"run": run, "deployment": deployed}
