"""What comes from files is shown so that it can be seen, and nothing else happens: terminal, JSON, pages, logs."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import traceback
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import ROOT, bim_compile, bim_report, bim_train, save_input, save_model
from pages import data_of
from rich.console import Console
from small_models import small_checkpoint

from bim_neuro import errors, report
from bim_neuro.cli.console import refuse
from bim_neuro.printable import as_json, counted, csv_cell, escape, plain
from bim_neuro.report import targets
from bim_neuro.report.models import Summary, made
from bim_neuro.report.side_by_side import render_comparison, show_comparison
from bim_neuro.report.terminal import report_text, show
from bim_neuro.report.training import show_training

EVIL = "[/other]\x1b[31m\u202ered\x07\n=\udcff b'x' \\"
CLASSES = ("[/other]", "\x1b[31mred\x1b[0m", "\u202egpj", "=1+1")


def seen(text: str) -> None:
    """Every character can be seen, lines excepted."""
    hidden = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n"}
    assert not hidden, hidden


def poisoned(data: Any) -> Any:
    """Return data with hostile ends on every text and key that a report looks into, where it looks at none."""
    if isinstance(data, dict):
        return {key: poisoned(value) for key, value in data.items()}
    if isinstance(data, list):
        return [poisoned(value) for value in data]
    return data + EVIL if isinstance(data, str) else data


def printed(show_it: Any, *arguments: Any) -> str:
    file = io.StringIO()
    show_it(*arguments, Console(file=file, width=140, highlight=False, emoji=False))
    return file.getvalue()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that learnt, with labels."""
    folder = tmp_path_factory.mktemp("run")
    data = save_input(folder / "x.npz", samples=8, y=np.arange(8) % 4)
    learn = ("--learn", "rtrl", "--set", "learn.samples=4")
    assert bim_compile(save_model(folder / "m.pt"), "--input", data, "-o", folder / "out", *learn).code == 0
    return folder / "out"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a\x1b[31m", r"a\x1b[31m"), ("\u202eb", r"\u202eb"), ("a\nb\t", r"a\nb\t"), ("\ud800", r"\ud800"),
        (b"\xffx", r"\xffx"), ("naïve ü", "naïve ü"), ("\u2028", r"\u2028"), ("\x9b31m", r"\x9b31m"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_written_as_an_escape(given: Any, wanted: str) -> None:
    assert plain(given) == wanted


@pytest.mark.parametrize("text", ["[/other]", "[bold]x", "a\\", ":warning:", "[link=x]y[/link]", "\\[x]"])
def test_markup_is_shown_as_it_is_written_and_closes_no_tag(text: str) -> None:
    assert printed(lambda console: console.print(f"[bold]{escape(text)}[/]|")) == f"{text}|\n"
    assert escape(escape(text)) == escape(text)


@pytest.mark.parametrize("count", range(1, 6))
def test_backslashes_at_the_end_of_a_name_keep_no_tag_open(count: int) -> None:
    assert printed(lambda console: console.print(f"[bold]{escape('a' + count * chr(92))}[/]|")).rstrip("\\|\n") == "a"


def test_json_is_strict_whatever_the_texts_and_numbers_are() -> None:
    text = as_json({"a\ud800": [float("nan"), float("inf"), EVIL], "n": (1, 2.5, None)})
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["n"] == [1, 2.5, None]
    assert read["a\\ud800"][:2] == [None, None]
    json.dumps(read, ensure_ascii=False).encode()  # no half character is left


def test_every_text_of_a_report_is_escaped_in_the_terminal_and_in_the_page(finished: Path) -> None:
    summary = made(Summary, poisoned(json.loads((finished / "summary.json").read_text())))
    for text in (printed(show, summary, finished / EVIL), report_text(summary)):
        seen(text)
        assert text.count("[/other]") > 20
    page = report.html.render(summary, json.loads((finished / "mapping.json").read_text()), {}, report_text(summary))
    seen(page)
    data = data_of(page)  # JSON would bring a character back
    seen(json.dumps(data, ensure_ascii=False))
    assert "\\x1b[31m" in data["summary"]["model"]


def test_a_comparison_and_a_target_are_escaped(finished: Path) -> None:
    sound = json.loads((finished / "summary.json").read_text())
    summaries = [made(Summary, one) for one in (sound, poisoned(sound))]
    comparison = report.compare([finished, Path(f"b{EVIL}")], summaries)
    seen(printed(show_comparison, comparison))
    seen(render_comparison(comparison))
    seen(printed(targets.show_targets, poisoned(targets.target_rows())))
    row = poisoned(targets.target(targets.load_profile("loihi2")))
    seen(printed(targets.show_target, row))


def test_training_on_classes_of_any_name_ends_well(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 4
    np.savez(tmp_path / "d.npz", x=rng.normal(size=(40, 5, 3)) + y[:, None, None], y=y, class_names=np.array(CLASSES))
    short = ("--epochs", 1, "--channels", 3, "--states", 1)
    record = tmp_path / "r.json"
    ended = bim_train("own", "--data", tmp_path / "d.npz", "-o", tmp_path / "m.pt", *short, "--final", "--json", record)
    assert ended.code == 0, ended
    seen(ended.out + ended.err)
    assert "[/other]" in ended.out
    assert r"\x1b[31mred" in ended.out
    assert set(json.loads(record.read_text())["test"]["float"]["sensitivity"]) <= set(CLASSES)
    with_paths = printed(show_training, json.loads(record.read_text()), tmp_path / EVIL)
    seen(with_paths)


def test_a_table_of_layers_opens_in_a_spreadsheet_and_computes_nothing() -> None:
    assert csv_cell("=1+1\n") == r"'=1+1\n"
    assert csv_cell(-1.5) == -1.5
    assert csv_cell("block1.lif") == "block1.lif"


def test_a_models_name_is_escaped_everywhere_it_is_written(tmp_path: Path) -> None:
    model = save_model(tmp_path / "[x]\x1b[31m\u202e\nm.pt", small_checkpoint())
    data = save_input(tmp_path / "x.npz")
    ended = bim_compile(model, "--input", data, "-o", tmp_path / "out")
    assert ended.code == 0, ended
    seen(ended.out + ended.err)
    for name in ("summary.txt", "compile.log", "report.html"):
        seen((tmp_path / "out" / name).read_text(encoding="utf-8"))
    (row,) = csv.DictReader(io.StringIO((tmp_path / "out/summary.csv").read_text(encoding="utf-8")))
    assert r"\x1b[31m" in row["model"]
    for arguments in (("--check",), ("--check", "--json")):
        seen(bim_compile(model, *arguments).out)
    seen(bim_report(tmp_path / "out").out)
    seen(bim_compile(tmp_path / "\x1b[31m\nno.pt").err)
    seen(bim_report(tmp_path / "\x1b[2J\u202e").err)


@pytest.mark.parametrize(("number", "text"), [(0, "0 cores"), (1, "1 core"), (2, "2 cores"), (1024, "1,024 cores")])
def test_a_number_of_things_is_counted_in_english(number: int, text: str) -> None:
    assert counted(number, "core") == text


def test_a_plural_that_is_not_one_of_s_is_given() -> None:
    assert [counted(number, "class", "classes") for number in (1, 2)] == ["1 class", "2 classes"]


def test_the_scores_of_many_classes_stay_on_one_line() -> None:
    names = [f"class number {index}" for index in range(12)]
    scores = {"accuracy": 0.5, "macro_f1": 0.5, "sensitivity": dict.fromkeys(names, 0.5)}
    tested = {"float": scores, "integer": scores, "majority": 0.1, "majority_class": names[0]}
    record = {"epochs": 1, "seconds": 2.0, "best_epoch": 1, "validation": {"accuracy": 0.5, "samples": 9}}
    lines = printed(show_training, record | {"test": tested}, Path("own.pt")).splitlines()
    assert lines[0].startswith("trained 1 epoch in 2 s")
    assert all(line.endswith("class number 11 0.500") for line in lines[1:3])
    assert len(lines) == 5


def test_a_librarys_bytes_are_quoted_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        refuse(errors.InputError("directory 'a' and header b'b\\x00' differ", 'and b"c"'))
    assert capsys.readouterr().err == "error: directory 'a' and header 'b\\x00' differ\nhint: and \"c\"\n"
    said = errors.first_line(ValueError("expected b'NUMPY', got ['a', 'b', 'c']"))
    assert said == "expected 'NUMPY', got ['a', 'b', 'c']"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command line of a shell, in which `bim-compile` is this checkout's."""
    code = "import sys; sys.argv[0] = 'bim-compile'; from bim_neuro.cli import compile_main as main; main()"
    script = f'bim() {{ "{sys.executable}" -c "{code}" "$@"; }}; {command}'
    settings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(["sh", "-c", script], capture_output=True, timeout=90, env=settings, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("streams", "code", "words"),
    [
        (">&-", 0, b""), ("2>&-", 0, b""), (">&- 2>&-", 0, b""), ("<&- >&- 2>&-", 0, b""),
        (">/dev/full", 2, b"cannot"), (">/dev/full 2>/dev/full", 2, b""), ("| true; exit 0", 0, b""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("arguments", ["--list targets", "--list targets --json"])
def test_streams_that_are_closed_or_full_give_no_traceback(
    arguments: str, streams: str, code: int, words: bytes
) -> None:
    ended = shell(f"bim {arguments} {streams}")
    assert ended.returncode == code, ended
    assert b"Traceback" not in ended.stderr
    assert b"Exception ignored" not in ended.stderr
    assert words in ended.stderr


@pytest.mark.slow
def test_a_refusal_keeps_its_exit_code_where_nothing_can_be_said(tmp_path: Path) -> None:
    for streams in ("2>&-", "2>/dev/full", ">&- 2>&-"):
        ended = shell(f"bim {tmp_path}/none.pt {streams}")
        assert (ended.returncode, ended.stdout, ended.stderr) == (2, b"", b"")


@pytest.mark.slow
def test_a_closed_output_does_not_lend_its_number_to_a_file(tmp_path: Path) -> None:
    model, data = save_model(tmp_path / "m.pt"), save_input(tmp_path / "x.npz")
    ended = shell(f"bim {model} --input {data} -o {tmp_path}/out <&- >&- 2>&-")
    assert ended.returncode == 0
    assert json.loads((tmp_path / "out/summary.json").read_text())["samples"] == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
def test_a_terminal_that_knows_ascii_alone_is_enough(tmp_path: Path, settings: dict[str, str]) -> None:
    model, data = save_model(tmp_path / "m.pt"), save_input(tmp_path / "x.npz")
    ended = shell(f"bim {model} --input {data} -o {tmp_path}/out; bim {tmp_path}/é.pt", **settings)
    assert (ended.returncode, b"Traceback" in ended.stderr) == (2, False), ended
    assert ended.stdout.isascii()
    assert ended.stderr.isascii()


def test_an_error_says_its_hint_and_travels_between_processes() -> None:
    import pickle

    refusal = errors.InputError("no such file: a.pt", "name one")
    notes = sys.version_info >= (3, 11)
    assert str(refusal) == "no such file: a.pt" + ("" if notes else " (name one)")
    assert getattr(refusal, "__notes__", []) == ["hint: name one"] * notes
    assert str(errors.InputError("no such file")) == "no such file"
    finding = errors.Finding("memory", "lif", "layer 'lif' needs 9", hint="take fewer")
    both = errors.DoesNotFit([finding, errors.Finding("cores", "", "2 cores")])
    assert str(both) == ("layer 'lif' needs 9; 2 cores" if notes else "layer 'lif' needs 9 (take fewer); 2 cores")
    assert not hasattr(errors.InputError("no such file"), "__notes__")
    for error in (refusal, both):
        assert "".join(traceback.format_exception(error)).count(error.hint or finding.hint) == 1
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.__dict__, str(again)) == (type(error), error.__dict__, str(error))
