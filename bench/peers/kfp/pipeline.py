"""bench/example in Kubeflow Pipelines: the same seven steps, the fan-out over targets and the judgement.

`python pipeline.py OUTPUT.yaml` compiles it. Every step is a container with typed inputs and outputs: what a
Lambda handler is there. KFP knows no task tokens, no waiting and no failure path by error class.
"""

import sys

from kfp import compiler, dsl

IMAGE = "python:3.11"


@dsl.component(base_image=IMAGE)
def label(dataset: str, classes: list) -> str:
    return dataset


@dsl.component(base_image=IMAGE)
def transform(labels: str, split: dict, min_images: int, min_per_class: int) -> str:
    return labels


@dsl.component(base_image=IMAGE)
def train(manifest: str, script: str, framework: str, instance: str, epochs: int, gate: dict) -> str:
    return manifest


@dsl.component(base_image=IMAGE)
def compile_model(model: str, manifest: str, target: str) -> str:
    return target


@dsl.component(base_image=IMAGE)
def judge(compiled: list, require: str) -> str:
    return require


@dsl.component(base_image=IMAGE)
def package(compiled: str, layout: str) -> str:
    return layout


@dsl.component(base_image=IMAGE)
def publish(package: str, component: str, version: str) -> str:
    return component


@dsl.component(base_image=IMAGE)
def deploy(component: str, targets: list, on_failure: str) -> str:
    return component


@dsl.pipeline(name="cookie-defects")
def cookie_defects(dataset: str = "s3://bucket/datasets/cookies/", epochs: int = 30) -> None:
    labels = label(dataset=dataset, classes=["normal", "anomaly"]).set_retry(6)
    split = {"train": 0.65, "validation": 0.15, "test": 0.2}
    manifest = transform(labels=labels.output, split=split, min_images=40, min_per_class=10).set_retry(6)
    model = train(
        manifest=manifest.output,
        script="training/train.py",
        framework="sklearn 1.4-2",
        instance="ml.m5.xlarge",
        epochs=epochs,
        gate={"recall": ">= 0.9", "accuracy": ">= 0.9"},
    ).set_retry(24)
    with dsl.ParallelFor(["x86_64-cpu", "arm64-cpu"]) as target:
        compiled = compile_model(model=model.output, manifest=manifest.output, target=target).set_retry(24)
    verdict = judge(compiled=dsl.Collected(compiled.output), require="all")
    with dsl.If(verdict.output == "all"):
        packaged = package(compiled=verdict.output, layout="triton").set_retry(6)
        published = publish(package=packaged.output, component="com.example.cookie-defects", version="auto")
        deploy(component=published.output, targets=["thing/line-3-station-1"], on_failure="rollback")


if __name__ == "__main__":
    compiler.Compiler().compile(cookie_defects, sys.argv[1])
