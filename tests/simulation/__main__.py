"""`python -m tests.simulation SEED` plays one seed again and prints what happened, call by call."""

from __future__ import annotations

import sys

from tests.simulation.scenario import draw, simulate


def main() -> int:
    """Print the scenario, its trace and the promises it broke; 1 if it broke any."""
    scenario = draw(int(sys.argv[1]))
    verdict, scheduler = simulate(scenario, traced=True)
    print(scenario, *scheduler.trace, *(f"broken: {what}" for what in verdict.broken), sep="\n")
    return 1 if verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main())
