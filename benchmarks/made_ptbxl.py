"""Write made electrocardiograms in PTB-XL's official layout: enough records in every fold to score the whole path.

    python -m benchmarks.made_ptbxl FOLDER --records 400
    bim-train ptbxl --data FOLDER --final

A beat is five Gaussian waves on each lead, as in McSharry et al. (2003), of random rate and size, with wander and
noise. What a superclass changes is a rule of ours, not read off patients: MI deepens Q and raises T below, STTC turns
T, CD widens QRS, HYP enlarges R at the side; one or two may hold. So a score shows that the path holds, and nothing of
hearts.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_neuro.tasks.ptbxl import CLASS_NAMES, FS_HZ, LEADS, STEPS

STATEMENTS = dict(zip(CLASS_NAMES, ("NORM", "IMI", "NST_", "CLBBB", "LVH"), strict=True))
CENTRES = np.array([-0.17, -0.03, 0.0, 0.03, 0.22])
"""Of P, Q, R, S and T, in s from R."""
WIDTHS = np.array([0.025, 0.01, 0.012, 0.012, 0.05])
SIZES = np.array([0.12, -0.1, 1.0, -0.25, 0.3])
"""In mV."""
BELOW, ASIDE = (1, 2, 5), (9, 10, 11)
"""Leads II, III and AVF; V4 to V6."""
ALONE = 0.8
"""Share of the records with one superclass."""


def record(classes: list[str], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return one record (steps, leads) in mV, of which these superclasses hold."""
    sizes = SIZES * rng.normal(1, 0.15, (len(LEADS), 5)) * rng.uniform(0.6, 1.3)
    widths = np.tile(WIDTHS, (len(LEADS), 1))
    sizes[3] *= -1  # AVR sees the heart from behind
    if "MI" in classes:
        sizes[BELOW, 1] -= rng.uniform(0.15, 0.4)
        sizes[BELOW, 4] += rng.uniform(0.1, 0.3)
    if "STTC" in classes:
        sizes[:, 4] *= -rng.uniform(0.2, 1)
    if "CD" in classes:
        widths[:, 1:4] *= rng.uniform(1.5, 2.5)
    if "HYP" in classes:
        sizes[ASIDE, 2] *= rng.uniform(1.4, 2)
    time, beat = np.arange(STEPS) / FS_HZ, 60 / rng.uniform(50, 100)
    beats = np.cumsum(rng.normal(beat, 0.03 * beat, int(STEPS / FS_HZ / beat) + 4)) - rng.uniform(0, 2) * beat
    waves = np.zeros((STEPS, len(LEADS)))
    for place in beats:
        away = time[:, None, None] - place - CENTRES
        waves += (sizes * np.exp(-((away / widths) ** 2) / 2)).sum(2)
    wander = 0.1 * np.sin(2 * np.pi * rng.uniform(0.1, 0.4) * time + rng.uniform(0, 6))
    return waves + wander[:, None] + rng.normal(0, 0.05, waves.shape)


def write(folder: Path, records: int) -> None:
    """Write the records, the table of them and the table of statements; a record is a patient."""
    import wfdb

    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for number in range(1, records + 1):
        classes = [CLASS_NAMES[number % len(CLASS_NAMES)]]
        if classes != ["NORM"] and rng.random() > ALONE:
            classes = sorted({*classes, str(rng.choice(CLASS_NAMES[1:]))})
        place = Path(f"records100/{number // 1000 * 1000:05d}")
        (folder / place).mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # wfdb 4.3.1 calls pandas in a deprecated way
            wfdb.wrsamp(
                f"{number:05d}_lr", fs=FS_HZ, units=["mV"] * len(LEADS), sig_name=list(LEADS),
                p_signal=record(classes, rng), fmt=["16"] * len(LEADS), adc_gain=[1000.0] * len(LEADS),
                baseline=[0] * len(LEADS), write_dir=str(folder / place),
            )  # fmt: skip
        codes = {STATEMENTS[name]: 100.0 for name in classes}
        fold = (number - 1) // len(CLASS_NAMES) % 10 + 1
        rows.append({"ecg_id": number, "patient_id": f"{number}.0", "scp_codes": str(codes), "strat_fold": fold,
                     "filename_lr": f"{place}/{number:05d}_lr"})  # fmt: skip
    _table(folder / "ptbxl_database.csv", rows)
    known = [{"": code, "diagnostic": "1.0", "diagnostic_class": name} for name, code in STATEMENTS.items()]
    _table(folder / "scp_statements.csv", known)


def _table(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description="Made electrocardiograms in PTB-XL's layout.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=400)
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    write(options.folder, options.records)
    print(f"{options.records} made records are in {options.folder}")


if __name__ == "__main__":
    main()
