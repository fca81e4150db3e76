"""What all tests share: a flag that rewrites golden files, and none of the machine's own AWS settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long an example takes says nothing about the code on a machine that others use too.
settings.register_profile("edgepipe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("edgepipe")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files from what comes out now"
    )


@pytest.fixture(autouse=True, scope="session")
def no_local_aws_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the profile, region and credentials of whoever runs the tests out of them."""
    nowhere = str(tmp_path_factory.mktemp("aws") / "none")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", nowhere)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield
