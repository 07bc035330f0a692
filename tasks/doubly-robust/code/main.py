"""Run one experiment and report its metrics as one JSON object."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from offpolicy.datasets import LOADERS
from offpolicy.experiments import EXPERIMENTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp", choices=EXPERIMENTS, required=True)
    parser.add_argument("--data", choices=LOADERS, default="digits")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    metrics = EXPERIMENTS[args.exp](args.data, args.seed)
    text = json.dumps({name: float(value) for name, value in metrics.items()})
    if path := os.environ.get("AUTOEXP_METRICS"):
        Path(path).write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
