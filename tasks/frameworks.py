"""The images in which SageMaker runs a training script: by framework, version, region and kind of machine.

Accounts and tags are those of the SageMaker Python SDK's image tables (scikit-learn and the deep-learning
containers); AWS lists them in "Docker Registry Paths and Example Code" of the SageMaker guide.
"""

from __future__ import annotations

import re

from tasks.errors import TaskInputError

SCIKIT_LEARN_ACCOUNTS = {
    "af-south-1": "510948584623",
    "ap-east-1": "651117190479",
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "341280168497",
    "ca-west-1": "190319476487",
    "cn-north-1": "450853457545",
    "cn-northwest-1": "451049120500",
    "eu-central-1": "492215442770",
    "eu-central-2": "680994064768",
    "eu-north-1": "662702820516",
    "eu-south-1": "978288397137",
    "eu-south-2": "104374241257",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "il-central-1": "898809789911",
    "me-central-1": "272398656194",
    "me-south-1": "801668240914",
    "sa-east-1": "737474898029",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
}
DEEP_LEARNING_ACCOUNTS = {
    **dict.fromkeys(
        (
            *("ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
            *("ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"),
            *("sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
        ),
        "763104351884",
    ),
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-northeast-3": "364406365360",
    "ap-southeast-3": "907027046896",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
    "eu-south-1": "692866216735",
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
}
PYTHON_OF = {
    "pytorch": {
        **dict.fromkeys(("2.0", "2.1", "2.2"), "py310"),
        **dict.fromkeys(("2.3", "2.4", "2.5"), "py311"),
        **dict.fromkeys(("2.6", "2.7", "2.8"), "py312"),
    },
    "tensorflow": {
        **dict.fromkeys(("2.12", "2.13", "2.14", "2.16", "2.18"), "py310"),
        "2.19": "py312",
    },
}
"""The Python of each training image: AWS builds one for each version of a framework."""

FRAMEWORKS = ("sklearn", "pytorch", "tensorflow")
_VERSION = r"[0-9][0-9.]{0,15}(-[0-9]{1,3})?"
_ACCELERATED = re.compile(r"ml\.(p\d|g\d)")


def image_uri(name: str, version: str, *, region: str, instance: str) -> str:
    """Return the training image; raises TaskInputError for a framework, version or region without one."""
    if name not in FRAMEWORKS:
        message = f"there is no framework {name!r}; name one of {', '.join(FRAMEWORKS)}"
        raise TaskInputError(message)
    if re.fullmatch(_VERSION, version) is None:
        message = f"{version!r} is no version of {name}; write it as in 1.4-2 or 2.3.0"
        raise TaskInputError(message)
    accelerated = _ACCELERATED.match(instance) is not None
    if name == "sklearn":
        registry = _registry(SCIKIT_LEARN_ACCOUNTS, name, region)
        return f"{registry}/sagemaker-scikit-learn:{version}-cpu-py3"
    registry = _registry(DEEP_LEARNING_ACCOUNTS, name, region)
    tag = f"{version}-{'gpu' if accelerated else 'cpu'}-{_python(name, version)}"
    return f"{registry}/{name}-training:{tag}"


def _registry(accounts: dict[str, str], name: str, region: str) -> str:
    if region not in accounts:
        message = (
            f"AWS has no {name} training image in {region}; the regions are {', '.join(sorted(accounts))}"
        )
        raise TaskInputError(message)
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{accounts[region]}.dkr.ecr.{region}.{suffix}"


def _python(name: str, version: str) -> str:
    known = PYTHON_OF[name]
    minor = ".".join(version.split(".")[:2])
    if minor not in known:
        message = f"no {name} {version} training image is known; the versions are {', '.join(known)}"
        raise TaskInputError(message)
    return known[minor]
