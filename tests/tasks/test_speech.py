"""Speech in its official layouts: features, splits by speaker, transcripts, and files that lie."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.tasks import Task, load_task
from bim_neuro.tasks.log_mel import log_mel, mel_filters, steps_of
from bim_neuro.tasks.speech import LETTERS
from bim_neuro.tasks.spoken_digits import RATE_HZ, Digits, _frames

soundfile = pytest.importorskip("soundfile")
SPEAKERS = ("george", "jackson", "theo")


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


@pytest.fixture
def fsdd(tmp_path: Path) -> Path:
    """Twelve tones a speaker and digit, as long as their number says."""
    (tmp_path / "recordings").mkdir()
    for speaker in SPEAKERS:
        for digit in range(10):
            for number in range(12):
                path = tmp_path / "recordings" / f"{digit}_{speaker}_{number}.wav"
                soundfile.write(path, tone(0.1 + 0.01 * number, 8000, 200 + 100 * digit), 8000)
    return tmp_path


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """One digit of one speaker, twelve times."""
    (tmp_path / "recordings").mkdir()
    for number in range(12):
        soundfile.write(tmp_path / "recordings" / f"4_theo_{number}.wav", tone(0.1, 8000), 8000)
    return tmp_path


@pytest.fixture
def libri(tmp_path: Path) -> Path:
    """Two utterances of one speaker in each subset."""
    for speaker, subset in enumerate(("train-clean-100", "dev-clean", "test-clean"), 11):
        chapter = tmp_path / "LibriSpeech" / subset / str(speaker) / "7"
        chapter.mkdir(parents=True)
        names = [f"{speaker}-7-000{number}" for number in range(2)]
        for name in names:
            soundfile.write(chapter / f"{name}.flac", tone(0.3, 16_000), 16_000)
        (chapter / f"{speaker}-7.trans.txt").write_text(f"{names[0]} IT'S A\n{names[1]} BOOK\n")
    return tmp_path


def groups(task: Task) -> list[set[int]]:
    return [set(np.unique(part.group).tolist()) for part in (task.train, task.validation, task.test)]


def test_a_tone_is_heard_in_its_band() -> None:
    centres = 700 * (10 ** (np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 4000 / 700), 42) / 2595) - 1)
    silence_then_tone = np.concatenate([np.zeros(8000), tone(1, 8000, centres[21]) / 2**15])
    heard = log_mel(silence_then_tone, 8000, 40)
    assert heard.shape == (200, 40)
    assert (heard[110:190].argmax(1) == 20).all()
    assert np.abs(heard.mean(0)).max() < 1e-5


def test_triangles_of_mel_meet_at_their_neighbours_centres() -> None:
    filters = mel_filters(16_000, 2**16, 80)
    inside = filters[:, 1000:60_000:10]
    assert filters.max(1) == pytest.approx(1, abs=0.02)
    assert inside.sum(0)[: inside.shape[1] // 2] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("samples", "steps"), [(1, 1), (80, 1), (81, 2), (8000, 100)])
def test_a_window_begins_every_ten_milliseconds(samples: int, steps: int) -> None:
    assert steps_of(samples, 8000) == steps == len(log_mel(np.ones(samples), 8000, 40))


def test_the_official_split_is_by_the_number_of_the_recording(fsdd: Path) -> None:
    task = load_task("spoken-digits", fsdd)
    assert [len(task.train), len(task.validation), len(task.test)] == [60, 150, 150]
    assert set.intersection(*groups(task)) == set()
    assert task.test.valid.tolist() == [steps_of(round((0.1 + 0.01 * number) * 8000), 8000) for number in range(5)] * 30
    assert (task.test.x[0, task.test.valid[0] :] == 0).all()


def test_a_speaker_who_is_left_out_is_heard_in_the_test_alone(fsdd: Path) -> None:
    train, validation, test = groups(load_task("spoken-digits-theo", fsdd))
    assert train == validation == {0, 1}
    assert test == {2}
    with pytest.raises(InputError, match="no recording of lucas"):
        load_task("spoken-digits-lucas", fsdd)


def test_connected_digits_are_whole_recordings_of_one_speaker(fsdd: Path) -> None:
    task = load_task("connected-digits", fsdd)
    assert task.head == "ctc"
    assert groups(task) == [{0}, {1}, {2}]
    told = task.test.y[task.test.y > 0]
    assert np.bincount(told)[1:].tolist() == [12] * 10  # each recording once
    again = load_task("connected-digits", fsdd)
    np.testing.assert_array_equal(again.train.x, task.train.x)
    assert not np.array_equal(load_task("connected-digits", fsdd, seed=1).test.y, task.test.y)


def test_frames_say_what_sounds(fsdd: Path) -> None:
    string = Digits(0, (3, 5), (np.ones(800, np.int16), np.ones(1600, np.int16)), (400, 800, 400))
    labels = _frames(string, steps_of(string.samples, RATE_HZ))
    assert labels.tolist() == [0] * 4 + [4] * 10 + [0] * 10 + [6] * 20 + [0] * 6
    task = load_task("connected-digits-frames", fsdd)
    assert task.head == "step"
    assert task.class_names[0] == "silence"
    assert (task.test.y[0, task.test.valid[0] :] == -1).all()


def test_letters_of_utterances_are_classes(libri: Path) -> None:
    task = load_task("speech", libri)
    assert task.class_names == ("blank", *LETTERS)
    assert "".join(task.class_names[c] for c in task.test.y[0]) == "IT'S A"
    assert task.test.y[1].tolist()[-2:] == [-1, -1]
    assert groups(task) == [{11}, {12}, {13}]
    assert task.test.x.shape == (2, 30, 80)


def test_a_subset_that_is_not_there_leaves_its_split_empty(libri: Path) -> None:
    shutil.rmtree(libri / "LibriSpeech" / "train-clean-100")
    task = load_task("speech", libri / "LibriSpeech")
    assert len(task.train) == 0
    assert "no train-* in this folder" in task.notes[0]
    with pytest.raises(InputError, match="no samples for the train split"):
        task.split("train")


def test_a_speaker_of_training_is_refused_in_the_test(libri: Path) -> None:
    chapter = libri / "LibriSpeech" / "test-clean" / "11" / "7"
    shutil.copytree(libri / "LibriSpeech" / "train-clean-100" / "11" / "7", chapter)
    with pytest.raises(InputError, match="group 11 lies in the splits train and test"):
        load_task("speech", libri)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("13-7-0000 \n", r"line 1: the transcript of 13-7-0000 is empty"),
        ("13-7-0000 IT IS 5\n", "line 1: the transcript of 13-7-0000 holds '5'"),
        ("13-7-0009 BOOK\n", "there is no 13-7-0009.flac beside it"),
        ("BOOK\n", "line 1 names no utterance: 'BOOK'"),
        ("../../13-7-0000 BOOK\n", "names no utterance"),
        ("13-7-0000 " + "ANNA " * 20 + "\n", "test split: y of sample 0 needs at least"),
    ],
)
def test_a_transcript_that_is_wrong_is_named(libri: Path, line: str, words: str) -> None:
    (libri / "LibriSpeech" / "test-clean" / "13" / "7" / "13-7.trans.txt").write_text(line)
    with pytest.raises(InputError, match=words):
        load_task("speech", libri)


def test_a_flac_that_lies_about_its_length_is_named(libri: Path) -> None:
    path = libri / "LibriSpeech" / "test-clean" / "13" / "7" / "13-7-0001.flac"
    content = bytearray(path.read_bytes())
    content[25] += 8  # the low byte of STREAMINFO's total of samples
    content[24] += 4
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"13-7-0001.flac' (declares [\d,]+ samples, it holds|is damaged)"):
        load_task("speech", libri)
    path.write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(InputError, match=r"13-7-0001.flac' (declares [\d,]+ samples, it holds|is damaged)"):
        load_task("speech", libri)


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (tone(0.1, 16_000), 16_000, "was sampled at 16,000 Hz, this task reads 8,000 Hz"),
        (np.empty(0, np.int16), 8000, "declares 0 samples"),
        (np.ones((800, 2), np.int16), 8000, "has 2 channels"),
        (np.ones(61 * 8000, np.int16), 8000, "declares 488,000 samples, from 1 to 480,000 are read"),
    ],
)
def test_a_sound_of_another_kind_is_named(few: Path, samples: np.ndarray, rate: int, words: str) -> None:
    soundfile.write(few / "recordings" / "4_theo_3.wav", samples, rate)
    with pytest.raises(InputError, match=f"4_theo_3.wav' {words}"):
        load_task("spoken-digits", few)


def test_what_is_no_sound_at_all_is_named(few: Path) -> None:
    path = few / "recordings" / "4_theo_3.wav"
    path.write_bytes(b"RIFF" + b"\0" * 100)
    with pytest.raises(InputError, match=r"4_theo_3.wav' is no WAV or FLAC file"):
        load_task("spoken-digits", few)
    path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(InputError, match="a link that leads back to itself"):
        load_task("spoken-digits", few)


def test_librispeech_itself_is_read(recordings: Path) -> None:
    task = load_task("speech", recordings / "librispeech_sample")
    assert "".join(task.class_names[c] for c in task.test.y[2] if c > 0) == "HE COULD WAIT NO LONGER"
    assert task.test.valid / 100 == pytest.approx([10.44, 3.27, 2.08, 5.42], abs=0.01)  # their seconds
    with pytest.raises(InputError, match="use task speech"):
        load_task("language", recordings / "librispeech_sample")


@pytest.mark.slow
def test_the_spoken_digits_themselves_are_read(recordings: Path) -> None:
    task = load_task("spoken-digits", recordings / "fsdd")
    assert [len(task.train), len(task.validation), len(task.test)] == [2400, 300, 300]
    assert task.train.x.shape == (2400, 229, 40)
