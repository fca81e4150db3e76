"""What an app deploys: the use cases of a folder and the specs that are named; without any, the example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import usecase
from stacks.places import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.usecase import UseCase

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("usecases")
EXAMPLE = ROOT / "examples" / "cookies"


class SettingsError(Exception):
    """The app cannot be put together; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The platform's place, its use cases, and the specs to deploy."""

    home: Place
    usecases: tuple[UseCase, ...]
    specs: tuple[Path, ...]
    reserve: bool = True
    """Whether functions that nobody waits for get a part of the account's concurrency to themselves."""

    def usecase(self, usecase_id: str, spec: Path) -> UseCase:
        """Return a use case by its id. Raises SettingsError where it is not registered."""
        found = next((each for each in self.usecases if each.id == usecase_id), None)
        if found is None:
            message = (
                f"{spec}: use case '{usecase_id}' is not registered; "
                f"write it with `edgepipe usecase init {usecase_id}`"
            )
            raise SettingsError(message)
        return found


def read_settings(context: Mapping[str, str], *, folder: Path) -> Settings:
    """Read an app's settings from CDK's context and the files in `folder`.

    Context: `usecases` (a folder), `specs` (paths with commas between them), `reserve` (yes or no), and
    `account` and `region` of the orchestrator, which else is what the use cases say.
    Raises SettingsError, or SpecError for a use case's mistakes.
    """
    own = folder / context.get("usecases", str(FOLDER))
    example = not usecase.list_ids(own)
    place = EXAMPLE / "usecases" if example else own
    found = tuple(usecase.read(place, name) for name in usecase.list_ids(place))
    named = [folder / name.strip() for name in context.get("specs", "").split(",") if name.strip()]
    specs = named or ([EXAMPLE / "pipeline.yaml"] if example else [])
    return Settings(
        home=_home(found, context),
        usecases=found,
        specs=tuple(specs),
        reserve=context.get("reserve", "yes") != "no",
    )


def _home(usecases: Sequence[UseCase], context: Mapping[str, str]) -> Place:
    """Return the one orchestrator that all use cases name."""
    homes = sorted({(each.orchestrator.account, each.orchestrator.region) for each in usecases})
    if len(homes) > 1:
        named = ", ".join("/".join(home) for home in homes)
        message = f"the use cases name several orchestrators: {named}; deploy each from a folder of its own"
        raise SettingsError(message)
    account, region = homes[0]
    wanted = (context.get("account", account), context.get("region", region))
    if wanted != (account, region):
        message = f"context asks for {'/'.join(wanted)}, but the use cases name {account}/{region}"
        raise SettingsError(message)
    return Place(account=account, region=region)
