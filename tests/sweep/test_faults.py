"""What befalls a sweep: damaged results, workers that lie or break a pool, full disks, other sweeps, other code."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import made_executors
import numpy as np
import pytest
from commands import Ended, bim_report, bim_sweep, bim_train, save_input, save_model

from bim_neuro.errors import NoRoom
from bim_neuro.executors import Pool
from bim_neuro.sweep.names import names
from bim_neuro.sweep.objectives import objectives_of
from bim_neuro.sweep.optuna_study import Study
from bim_neuro.sweep.proposals import Combinations
from bim_neuro.sweep.run import Sweep
from bim_neuro.sweep.space import space_of
from bim_neuro.sweep.store import Store
from bim_neuro.sweep.tally import Tally
from bim_neuro.sweep.trial import Maker
from bim_neuro.sweep.work import row_of

VARY = ("--vary", "prune=0,0.5")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("files")
    return save_model(folder / "small.pt"), save_input(folder / "xy.npz", y=np.arange(6) % 4)


def sweep(files: tuple[Path, Path], *more: object, out: Path, executor: str = "threads") -> Ended:
    return bim_sweep(files[0], "--fix", f"input={files[1]}", "--executor", f"made_executors:{executor}", "-o", out,
                     *more)  # fmt: skip


@pytest.fixture(scope="module")
def swept(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("swept") / "out"
    assert sweep(files, *VARY, out=out).code == 0
    return out


def rows(out: Path) -> list[dict[str, Any]]:
    return list(json.loads((out / "sweep.json").read_text())["trials"])


def numbers(out: Path) -> list[Any]:
    return sorted((row["key"], row["status"], str(row["metrics"])) for row in rows(out))


@pytest.mark.parametrize("left", ["", "{", "[1]", '{"status": "done"}'])
def test_a_damaged_result_is_computed_again(files: tuple[Path, Path], swept: Path, tmp_path: Path, left: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(swept, out)
    (out / "trials" / rows(swept)[0]["key"] / "trial.json").write_text(left)
    assert sweep(files, *VARY, out=out).code == 0
    assert numbers(out) == numbers(swept)


@pytest.mark.parametrize(
    "lie",
    [{"files": b"no archive"}, *(pytest.param(lie, marks=pytest.mark.slow) for lie in (None, 7, {"status": "done"}))],
)
def test_a_worker_that_says_it_is_done_is_believed_where_the_result_lies(
    files: tuple[Path, Path], swept: Path, tmp_path: Path, lie: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bim_neuro.sweep.workers._LOOK_SECONDS", 0.0)
    made_executors.lies = [lie]
    ended = sweep(files, *VARY, out=tmp_path / "out", executor="lying")
    assert ended.code == 0, ended.err
    assert numbers(tmp_path / "out") == numbers(swept)


@pytest.mark.slow
def test_of_a_pool_that_breaks_whole_only_the_trial_that_broke_it_is_poisoned(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    ended = sweep(files, "--vary", "prune=0,0.5,0.6,0.7,0.8", out=tmp_path / "out", executor="whole_pool")
    assert ended.code == 4, ended.err
    assert "1 of 5 trials have no result" in ended.err
    found = {row["values"]["prune.share"]: row["status"] for row in rows(tmp_path / "out")}
    assert found == {0.0: "done", 0.5: "done", 0.6: "done", 0.7: "poisoned", 0.8: "done"}


def test_a_full_disk_is_no_result_of_a_trial(
    files: tuple[Path, Path], swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bim_neuro.sweep import work

    real, full = work.compile_to_folder, [True, True]

    def compile_or_fail(*args: Any, **named: Any) -> Any:
        if full.pop() if full else False:
            raise NoRoom("cannot write mapping.json: No space left on device")
        return real(*args, **named)

    monkeypatch.setattr(work, "compile_to_folder", compile_or_fail)
    assert sweep(files, *VARY, out=tmp_path / "out").code == 0
    assert numbers(tmp_path / "out") == numbers(swept)


def test_paths_hold_for_a_worker_in_another_folder(
    files: tuple[Path, Path], swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files[0].parent)
    chip = Path("chip.toml")
    chip.write_text('extends = "loihi2"\nname = "chip"\ntitle = "Chip"\n')
    maker = Maker(Path("small.pt"), None, {"input": "xy.npz", "target": "chip.toml"}, names(False), _nothing)
    trial = maker.trial({"prune.share": 0.5})
    plain = trial.plain
    assert all(path.is_absolute() for path in trial.files)
    assert all(Path(plain["compiled"][name]).is_absolute() for name in ("input", "target"))
    assert plain["values"]["input"] == "xy.npz"
    assert maker.trial({"prune.share": 0.5}).key == trial.key


def _nothing(values: object) -> frozenset[str]:
    return frozenset()


def test_a_claim_lapses_though_another_process_has_the_number_of_its_sweep(tmp_path: Path) -> None:
    with Store(tmp_path / "out").opened() as ours:
        gone = ours.folder / ".sweeps" / "gone"
        gone.write_text(json.dumps({"host": os.uname().nodename, "process": os.getpid()}))
        (ours.folder / ".claims" / "key").write_text("gone")
        assert not ours.claim("key")
        os.utime(gone, (0, 0))
        assert ours.claim("key")


def test_a_claim_of_another_is_not_released(tmp_path: Path) -> None:
    with Store(tmp_path / "out").opened() as ours, Store(tmp_path / "out").opened() as theirs:
        assert theirs.claim("key")
        ours.release("key")
        assert not ours.claim("key")


class AtOnce(Executor):
    """Has the result of every trial at once, without computing it."""

    def submit(self, call: Any, /, *args: Any, **named: Any) -> Future[Any]:
        order, folder, _ = args
        place = Path(folder) / "trials" / order["key"]
        place.mkdir()
        (place / "trial.json").write_text(json.dumps(row_of(order, "done", "")))
        future: Future[Any] = Future()
        future.set_result({})
        return future


def test_a_sweep_goes_past_what_another_works_at(files: tuple[Path, Path], tmp_path: Path) -> None:
    known = names(False)
    space, maker = space_of(["prune=0:.9:.1"], None, known), Maker(files[0], None, {}, known, _nothing)
    with Store(tmp_path / "out").opened() as theirs, Store(tmp_path / "out").opened() as ours:
        first = [maker.trial(space.at(index)).key for index in range(4)]
        assert all(theirs.claim(key) for key in first)
        looks = iter(range(3))

        def say(tally: Tally) -> None:
            next(looks)  # no more than three looks: it does not wait for them
            if tally.done == 6:
                for key in first:
                    theirs.release(key)

        pool = Pool("at once", AtOnce, lambda: 2, shared=True)
        assert Sweep(ours, pool, Combinations(space, maker), say=say).run().done == 10


def test_a_proposal_after_a_change_of_the_space_or_the_code_begins_a_study(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna", reason="it comes with the extra sweep")
    both, known = objectives_of("accuracy,energy"), names(False)
    maker = Maker(files[0], None, {}, known, _nothing)
    with Store(tmp_path / "out").opened() as store:
        for vary in ("prune=0,0.5", "prune=0,0.5,0.7"):
            study = Study(space_of([vary], None, known), maker, store, both, 0, 99)
            assert sum(1 for _ in iter(study.next, None)) == vary.count(",") + 1
        monkeypatch.setattr("bim_neuro.sweep.optuna_study.code", lambda: "other")
        assert Study(space_of(["prune=0,0.5"], None, known), maker, store, both, 0, 99).next() is not None


def test_a_sweep_of_more_trials_than_a_folder_holds_is_refused_with_the_amount(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    vary = ("--vary", "prune=0:.98:.001", "learn.rate=0.001:1:0.001", "learn.seed=0:999:1", "--fix", "learn=rtrl")
    ended = sweep(files, *vary, out=tmp_path / "out")
    assert ended.code == 2
    assert "981,000,000 trials, the limit is 1,000,000" in ended.err


@pytest.mark.parametrize(("vary", "said"), [("samples=abc", "--samples is 'abc'"), ("strict=maybe", "one of no, yes")])
def test_values_are_refused_before_anything_is_written(
    files: tuple[Path, Path], tmp_path: Path, vary: str, said: str
) -> None:
    ended = sweep(files, "--vary", vary, out=tmp_path / "out")
    assert ended.code == 2
    assert said in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "strangers"])
def test_a_training_is_made_once_with_any_of_its_settings(tmp_path: Path, executor: str) -> None:
    ended = bim_sweep("--train", "digits", "--vary", "prune.share=0,0.3", "--fix", "train.segment=8", "rule=tbptt",
                      "train.accumulate=2", "device=cpu", "epochs=1", "samples=8", "--executor",
                      f"made_executors:{executor}", "-o", tmp_path / "out")  # fmt: skip
    assert ended.code == 0, ended.err
    assert [row["status"] for row in rows(tmp_path / "out")] == ["done"] * 2
    assert len(list((tmp_path / "out" / "models").iterdir())) == 1
    assert len({row["metrics"]["trained_seconds"] for row in rows(tmp_path / "out")}) == 1


@pytest.mark.parametrize("limit", ["accuracy=nan", "accuracy=", "cores=inf"])
def test_a_limit_that_is_no_number_is_refused(swept: Path, limit: str) -> None:
    ended = bim_report("best", swept, "--min", limit)
    assert ended.code == 2, ended
    assert "gives no number" in ended.err


@pytest.mark.parametrize("damage", ['{"schema_version": 1}', '{"schema_version": 1, "trials": [3]}', "[]"])
def test_best_of_a_damaged_table_says_so(tmp_path: Path, damage: str) -> None:
    (tmp_path / "sweep.json").write_text(damage)
    ended = bim_report("best", tmp_path)
    assert ended.code == 2
    assert "damaged" in ended.err


def test_a_segment_without_segments_is_refused_by_bim_train(tmp_path: Path) -> None:
    ended = bim_train("digits", "--set", "train.segment=8", "-o", tmp_path / "d.pt")
    assert ended.code == 2
    assert "train.segment has no effect without segments" in ended.err
