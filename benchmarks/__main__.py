"""The command: ``python -m benchmarks``."""

import argparse
import json
from pathlib import Path

from . import run
from .registry import PEERS
from .report import table


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    defaults = run.Options()
    made = argparse.ArgumentParser("python -m benchmarks", description="Compare convops with its peers.")
    made.add_argument("--quick", action="store_true", help="a few points, under three minutes")
    made.add_argument("--only", default="", metavar="PATTERN", help="points whose 'family: name' it matches")
    made.add_argument(
        "--peers",
        nargs="?",
        const="list",
        default="",
        metavar="PATTERN",
        help="peers whose name it matches ('none' for none); alone: list the peers and whether they are there",
    )
    made.add_argument("--output", type=Path, default=defaults.output, help="folder of the results (%(default)s)")
    made.add_argument("--environments", type=Path, default=defaults.environments, help="folder of the environments")
    made.add_argument("--seed", type=int, default=0, help="of the order of the runs")
    made.add_argument("--from", dest="source", type=Path, metavar="JSON", help="only write reports of earlier results")
    return made


def main() -> None:
    """Run the command."""
    given = vars(parser().parse_args())
    source = given.pop("source")
    if source is not None:
        run.finish(json.loads(source.read_text()), given["output"])
    elif given["peers"] == "list":
        rivals = run.gather(run.Options(environments=given["environments"]))
        for worker in rivals.workers.values():
            worker.stop()
        stati = [rivals.missing.get(peer.name) or rivals.versions[peer.name] for peer in PEERS]
        print(table(["peer", "status"], [[peer.name, status] for peer, status in zip(PEERS, stati, strict=True)]))
    else:
        run.run(run.Options(**given))


if __name__ == "__main__":
    main()
