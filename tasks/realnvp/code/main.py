"""Run one experiment and report its metrics as one JSON object."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import torch
from realnvp.experiments import EXPERIMENTS
from realnvp.sources import TABLES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp", choices=EXPERIMENTS, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", choices=TABLES, default="diamonds", help="where tables are used")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    if args.device != "cpu":
        torch.set_default_device(args.device)
    metrics = EXPERIMENTS[args.exp](args.seed, args.table)
    text = json.dumps({name: float(value) for name, value in metrics.items()})
    if path := os.environ.get("AUTOEXP_METRICS"):
        Path(path).write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
