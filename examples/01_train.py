"""Train a small Bio-Inspired Mamba on scikit-learn's digits and keep it as digits.pt (a minute; try --epochs 3)."""

import argparse
from pathlib import Path

import bim_neuro

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--output", type=Path, default=Path("digits.pt"))
options = parser.parse_args()

plan = bim_neuro.plan_for(bim_neuro.load_task("digits"), epochs=options.epochs, channels=64)
checkpoint = bim_neuro.train_task(
    plan, options.output, on_epoch=lambda epoch: print(f"epoch {epoch.epoch}: {epoch.score:.3f}"), final=True
)
# final: the test split is opened, once all choices are made
test = checkpoint.training["test"]
print(f"float accuracy {test['float']['accuracy']:.3f}, integer accuracy {test['integer']['accuracy']:.3f}")
