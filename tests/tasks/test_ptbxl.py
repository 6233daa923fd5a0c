"""PTB-XL in its official layout: labels, folds, standardisation, and files that are missing or wrong."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.tasks import load_task
from bim_neuro.tasks.ptbxl import LEADS

pytest.importorskip("wfdb")
CODES = ("{'NORM': 100.0, 'SR': 0.0}", "{'IMI': 35.0, 'NDT': 0.0}", "{'SR': 0.0}")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty generated records, three a fold, a patient each: normal, ischaemic with an ST change, and rhythm alone."""
    import wfdb

    folder = tmp_path_factory.mktemp("ptbxl")
    place = folder / "records100" / "00000"
    place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["ecg_id,patient_id,age,scp_codes,strat_fold,filename_lr,filename_hr"]
    for number in range(30):
        leads = rng.normal(0.5, 0.2, (1000, 12)) * np.arange(1, 13)
        name = f"{number:05}_lr"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # wfdb 4.3.1 calls pandas in a deprecated way
            wfdb.wrsamp(name, 100, ["mV"] * 12, list(LEADS), leads, fmt=["16"] * 12, write_dir=str(place))
        rows.append(f'{number},{number}.0,,"{CODES[number % 3]}",{number // 3 + 1},records100/00000/{name},')
    (folder / "ptbxl_database.csv").write_text("\n".join(rows) + "\n")
    statements = [",description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass", "NORM,n,1.0,,,NORM,NORM"]
    statements += ["IMI,i,1.0,,,MI,IMI", "NDT,s,1.0,1.0,,STTC,STTC", "SR,r,,,1.0,,"]
    (folder / "scp_statements.csv").write_text("\n".join(statements) + "\n")
    return folder


@pytest.fixture
def ptbxl(written: Path, tmp_path: Path) -> Path:
    """The tables, to be changed, beside links to the records."""
    for path in written.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    place = tmp_path / "records100" / "00000"
    place.mkdir(parents=True)
    for path in (written / "records100" / "00000").iterdir():
        (place / path.name).symlink_to(path)
    return tmp_path


def test_folds_are_splits_and_statements_are_labels(ptbxl: Path) -> None:
    task = load_task("ptbxl", ptbxl)
    assert task.head == "labels"
    assert [len(task.train), len(task.validation), len(task.test)] == [16, 2, 2]  # a third has no superclass
    assert task.test.y.tolist() == [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0]]
    assert task.test.group.tolist() == [27, 28]
    assert "20 of 30 records have a diagnostic superclass" in task.notes


def test_leads_are_standardised_by_the_training_folds(ptbxl: Path) -> None:
    task = load_task("ptbxl", ptbxl)
    assert task.train.x.mean((0, 1)) == pytest.approx(0, abs=1e-4)
    assert task.train.x.std((0, 1)) == pytest.approx(1, abs=1e-4)
    assert np.abs(task.test.x.mean((0, 1))).max() > 1e-4  # by the scale of training, not by its own


def changed(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("ptbxl_database.csv", ",9,records", ",8,records", "no record of fold 9, the validation split"),
        ("ptbxl_database.csv", ",9,records", ",11,records", "line 26: strat_fold is 11, folds are 1 to 10"),
        ("ptbxl_database.csv", "\n28,28.0", "\n28,3.0", "group 3 lies in the splits train and test"),
        ("ptbxl_database.csv", "\n28,28.0", "\n28,x", "line 30: patient_id is 'x', a whole number is needed"),
        ("ptbxl_database.csv", "records100/00000/00003_lr", "../00003_lr", "line 5: filename_lr is '../00003_lr'"),
        (
            "ptbxl_database.csv",
            "records100/00000/00003_lr",
            "records100/00000/00099_lr",
            "no such file: .*00099_lr.hea",
        ),
        ("ptbxl_database.csv", "strat_fold", "fold", "lacks the columns strat_fold"),
        ("ptbxl_database.csv", "\"{'SR': 0.0}\",10", "SR,10", "line 31: scp_codes is 'SR'"),
        ("scp_statements.csv", "MI,IMI", "XX,IMI", "IMI is of the class 'XX'"),
        ("scp_statements.csv", "diagnostic_class", "classes", "lacks the columns diagnostic_class"),
    ],
)
def test_a_table_that_is_wrong_is_named(ptbxl: Path, name: str, old: str, new: str, words: str) -> None:
    changed(ptbxl, name, old, new)
    with pytest.raises(InputError, match=words):
        load_task("ptbxl", ptbxl)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("00004_lr 12 100 1000", "00004_lr 12 500 1000", "12 leads of 1000 samples at 500 Hz, 12 of 1000 at 100 Hz"),
        ("0 AVR", "0 V7", "its leads are I, II, III, V7"),
        ("00004_lr.dat", "../00004_lr.dat", "names a signal file '../00004_lr.dat'"),
    ],
)
def test_a_record_of_another_kind_is_named(ptbxl: Path, old: str, new: str, words: str) -> None:
    path = ptbxl / "records100" / "00000" / "00004_lr.hea"
    content = path.read_text()
    assert old in content
    path.unlink()
    path.write_text(content.replace(old, new))
    with pytest.raises(InputError, match=words) as refusal:
        load_task("ptbxl", ptbxl)
    assert "00004_lr" in refusal.value.message


def test_a_record_that_ends_early_is_named(ptbxl: Path) -> None:
    path = ptbxl / "records100" / "00000" / "00004_lr.dat"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-2400])
    with pytest.raises(InputError, match="cannot read the record '00004_lr'"):
        load_task("ptbxl", ptbxl)


def test_records_of_ptbxl_itself_are_read(recordings: Path) -> None:
    task = load_task("ptbxl", recordings / "ptbxl_mini")
    assert [len(task.train), len(task.validation), len(task.test)] == [7, 2, 1]
    assert task.validation.y.tolist() == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]
    assert task.validation.place.tolist() == [8, 10]


def test_made_records_lie_in_the_official_layout(tmp_path: Path) -> None:
    from benchmarks.made_ptbxl import write

    write(tmp_path, 100)
    task = load_task("ptbxl", tmp_path)
    assert [len(task.split(name)) for name in ("train", "validation", "test")] == [80, 10, 10]
    assert (task.train.y.sum(0) > 10).all(), "every class is there"
    assert (task.test.y.sum(0) > 0).all()
    normal = task.train.y[:, 0] == 1
    assert (task.train.y[normal, 1:] == 0).all(), "a normal one is nothing else"
