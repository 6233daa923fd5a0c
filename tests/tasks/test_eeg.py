"""CHB-MIT in its official layout: windows, patients, filters, and EDF files and summaries that are wrong."""

from pathlib import Path

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.tasks import load_task
from bim_neuro.tasks.chbmit import EegRecording, seizures_of
from bim_neuro.tasks.eeg import CHANNELS, FS_HZ, filtered, patient_of, seizure_scores, split

edfio = pytest.importorskip("edfio")
SECONDS = 40


def edf(path: Path, labels: tuple[str, ...], rate: int = FS_HZ, seconds: int = SECONDS) -> None:
    """Ten hertz of 50 uV everywhere, and 3 hertz of 200 uV in the first channel from second 20 on."""
    time = np.arange(seconds * rate) / rate
    rest = 50 * np.sin(2 * np.pi * 10 * time)
    first = rest + 200 * np.sin(2 * np.pi * 3 * time) * (time >= 20)
    signals = [
        edfio.EdfSignal(
            first if place == 0 else rest, rate, label=label, physical_dimension="uV", physical_range=(-800, 800)
        )
        for place, label in enumerate(labels)
    ]
    edfio.Edf(signals).write(path)


def summary(folder: Path, case: str, files: int, seizure: str) -> None:
    blocks = ["Data Sampling Rate: 256 Hz\n"]
    for number in range(1, files + 1):
        told = seizure if number == 1 else "Number of Seizures in File: 0\n"
        blocks.append(f"File Name: {case}_{number:02}.edf\nFile Start Time: 11:42:54\nFile End Time: 12:42:54\n{told}")
    (folder / f"{case}-summary.txt").write_text("\n".join(blocks))


SEIZURE = "Number of Seizures in File: 1\nSeizure Start Time: 21 seconds\nSeizure End Time: 30 seconds\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of each of three cases; the second of chb03 lacks a channel."""
    folder = tmp_path_factory.mktemp("chbmit")
    for case in ("chb01", "chb02", "chb03"):
        (folder / case).mkdir()
        summary(folder / case, case, 2, SEIZURE)
        edf(folder / case / f"{case}_01.edf", (*CHANNELS, "T8-P8", "-"))
        edf(folder / case / f"{case}_02.edf", CHANNELS[:-1] if case == "chb03" else CHANNELS)
    return folder


@pytest.fixture
def chbmit(written: Path, tmp_path: Path) -> Path:
    for path in written.glob("*/*"):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        (tmp_path / path.parent.name / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_windows_of_patients_lie_in_one_split(chbmit: Path) -> None:
    task = load_task("eeg", chbmit)
    parts = (task.train, task.validation, task.test)
    assert [np.unique(part.group).tolist() for part in parts] == [[1], [2], [3]]
    assert [part.y.tolist() for part in parts] == [[0, 0, 1, 0] * 1 + [0] * 4] * 2 + [[0, 0, 1, 0]]
    assert task.train.place.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]  # a gap between recordings
    assert "1 recordings lack a channel or last under 10 s: left out" in task.notes


def test_a_wave_is_power_in_its_band_from_its_second_on(chbmit: Path) -> None:
    x = load_task("eeg", chbmit).test.x
    assert x.shape == (4, 10, 80)
    line = [f"{channel} {band}" for channel in CHANNELS for band in ("delta", "theta", "alpha", "beta", "gamma")]
    assert list(load_task("eeg", chbmit).channel_names) == line
    assert x[3, :, 0] == pytest.approx(np.log10(200**2 / 2), abs=0.1)  # delta of the first channel
    assert x[:, 2:, 7] == pytest.approx(np.log10(50**2 / 2), abs=0.1)  # alpha of the second
    assert (x[1, 2:, 0] < 1).all()
    assert (x[:, :, 5] < 2).all()  # delta of the second


def test_mains_and_drift_are_taken_away() -> None:
    time = np.arange(20 * FS_HZ) / FS_HZ
    wave = np.sin(2 * np.pi * 10 * time)
    heard = filtered(wave + 5 * np.sin(2 * np.pi * 60 * time) + 1000)
    assert np.std(heard[10 * FS_HZ :]) == pytest.approx(np.std(wave), rel=0.05)
    assert filtered(np.full(1000, 300.0)) == pytest.approx(0, abs=1e-6)


def test_a_patient_with_two_cases_is_one() -> None:
    recordings = [EegRecording(Path(f"chb{case:02}"), case, 100, ()) for case in (*range(1, 25), 21)]
    parts = split(recordings)
    assert {recording.case for recording in parts["test"]} == {22, 23}
    assert {recording.case for recording in parts["validation"]} == {19, 20}
    patients = [{patient_of(recording) for recording in part} for part in parts.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 23
    assert split(recordings[:1])["test"] == []
    assert [len(part) for part in split([recordings[0], recordings[20], recordings[1]]).values()] == [1, 1, 1]


def test_alarms_are_counted_in_the_recordings_they_are_in(chbmit: Path) -> None:
    pytest.importorskip("timescoring")
    test = load_task("eeg", chbmit).train
    assert seizure_scores(test, test.y) == {"sensitivity": 1.0, "false_alarms_a_day": 0.0, "events": 1}
    late = np.array([0, 0, 0, 0, 0, 0, 1, 1])  # in the other recording
    assert seizure_scores(test, late) == {"sensitivity": 0.0, "false_alarms_a_day": 86_400 / 80, "events": 1}
    with pytest.raises(InputError, match="do not answer 8 windows"):
        seizure_scores(test, late[:3])


def test_an_edf_that_ends_early_is_named(chbmit: Path) -> None:
    path = chbmit / "chb02" / "chb02_02.edf"
    content = path.read_bytes()
    path.write_bytes(content[:-1000])
    with pytest.raises(
        InputError, match=rf"chb02_02.edf' declares {len(content):,} bytes, it holds {len(content) - 1000:,}"
    ):
        load_task("eeg", chbmit)
    path.write_bytes(b"0" + b" " * 600)
    with pytest.raises(InputError, match=r"has '' at byte 236 of its header, a number is needed"):
        load_task("eeg", chbmit)


def test_an_edf_of_another_rate_is_named(chbmit: Path) -> None:
    edf(chbmit / "chb02" / "chb02_02.edf", CHANNELS, rate=200)
    with pytest.raises(InputError, match="FP1-F7 was sampled at 200 Hz, 256 Hz are read"):
        load_task("eeg", chbmit)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Seizure End Time: 30 seconds\n", "", "1 seizures, 1 begin and 0 end in the list"),
        ("End Time: 30", "End Time: 20", "1 seizures, 1 begin and 1 end"),
        ("End Time: 30", "End Time: 50", "a seizure at 21 to 50 s of chb01_01.edf, which lasts 40 s"),
        ("File Name: chb01_01.edf", "File Name: ../../x.edf", "lists a file '../../x.edf'"),
        ("Number of Seizures in File: 1\n", "", "no number of seizures"),
        ("File Name", "Name", "lists no file"),
    ],
)
def test_a_summary_that_is_wrong_is_named(chbmit: Path, old: str, new: str, words: str) -> None:
    path = chbmit / "chb01" / "chb01-summary.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=words):
        load_task("eeg", chbmit)


def test_the_original_summary_is_read(recordings: Path) -> None:
    listed = seizures_of(recordings / "chbmit_sample" / "original" / "chb01-summary.txt")
    assert len(listed) == 42
    assert {name: pairs for name, pairs in listed.items() if pairs}["chb01_03.edf"] == [(2996.0, 3036.0)]
    assert sum(map(len, listed.values())) == 7


def test_the_sample_of_chbmit_is_read_by_patient(recordings: Path) -> None:
    task = load_task("eeg", recordings / "chbmit_sample" / "chbmit")
    assert [len(part) for part in (task.train, task.validation, task.test)] == [10, 4, 14]
    assert set(np.unique(task.test.group)) == {3}
    with pytest.raises(InputError, match="use task eeg"):
        load_task("bonn", recordings / "chbmit_sample" / "chbmit")
