from __future__ import annotations

import pytest

from local_cloud.sagemaker.requirements import check_requirements, installed_version

INSTALLED = {"numpy": "1.26.4", "Pillow": "11.0.0", "torch": "2.9.0rc1"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n\nnumpy  # any\n",
        "numpy>=1.26,<2\nPillow[extra]\n",
        'nowhere; python_version < "3"\n',
        "torch>=2.8",
        "numpy==1.26.4 --hash=sha256:00 \\\n  --hash=sha256:01\n",
    ],
)
def test_requirements_that_are_met(text: str) -> None:
    assert check_requirements(text, INSTALLED.get) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("numpy>=2\n", "numpy>=2 (1.26.4 is installed)"),
        ("keras\nxgboost==1\n", "keras, xgboost==1"),
        ("-r more.txt\n", "'-r more.txt' (options are not followed here)"),
        ("./local.whl\n", "'./local.whl' (not a requirement)"),
    ],
)
def test_requirements_that_are_not_met_are_named(text: str, said: str) -> None:
    failure = str(check_requirements(text, INSTALLED.get))
    assert said in failure
    assert "Local runs install nothing" in failure


def test_installed_versions_come_from_this_environment() -> None:
    assert installed_version("pytest") == pytest.__version__
    assert installed_version("no-such-distribution-x") is None
