"""Texts: windows that ask for every token once, splits, counts, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.jobs.plan import plan_for
from bim_neuro.tasks import Task, load_task, prepared, text
from bim_neuro.tasks.dataset import TextUnits
from bim_neuro.tasks.language import windows_of

LINES = "".join(f" line {number} of the täxt goes on for a while , and ends here .\n" for number in range(400))


@pytest.fixture
def wiki(tmp_path: Path) -> Path:
    for mark, times in (("train", 4), ("valid", 1), ("test", 1)):
        (tmp_path / f"wiki.{mark}.tokens").write_text(LINES * times, encoding="utf-8")
    return tmp_path


def asked(task: Task, split: str) -> list[int]:
    y = task.split(split).y
    assert y is not None
    return y[y >= 0].tolist()


@pytest.mark.parametrize("tokens", [17, 18, 25, 33])
def test_windows_ask_for_every_token_but_the_first_once(tokens: int) -> None:
    text = np.arange(tokens)
    data = windows_of(text, 8, whole=True, name="test")
    assert data.y is not None
    known, told = data.x[..., 0], data.y
    assert sorted(told[told >= 0].tolist()) == list(range(1, tokens))
    assert (told[told >= 0] == known[told >= 0] + 1).all()
    assert len(windows_of(text, 8, whole=False, name="train")) == (tokens - 1) // 8


def test_bytes_lose_nothing(wiki: Path) -> None:
    task = load_task("language", wiki)
    content = LINES.encode()
    assert task.head == "next"
    assert bytes(asked(task, "test")) == content[1:]
    assert task.units["test"] == TextUnits(len(LINES), len(LINES.split()) + 400)
    assert (task.train.x[1:, 0, 0] == task.train.y[:-1, -1]).all()  # no gap between windows


def test_raw_text_is_taken_for_bytes_and_tokens_for_words(wiki: Path) -> None:
    for mark in ("train", "valid", "test"):
        (wiki / f"wiki.{mark}.raw").write_text(f"the raw {mark} text goes on\n" * 100)
    raw, words = load_task("language", wiki), load_task("language-words", wiki)
    assert bytes(asked(raw, "test")).startswith(b"he raw test text")
    assert "täxt" in words.class_names


def test_words_are_those_of_the_training_text_and_lines_end_in_one(wiki: Path) -> None:
    (wiki / "wiki.test.tokens").write_text("line new of\n" * 40)
    task = load_task("language-words", wiki)
    names = [task.class_names[token] for token in asked(task, "test")[:6]]
    assert names == ["<unk>", "of", "<eos>", "line", "<unk>", "of"]
    assert task.class_names.count("<unk>") == 1


def test_a_word_that_is_rare_in_training_is_unknown_there(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a b a b\n" * 50 + "c c\n")
    for name in ("valid.txt", "test.txt"):
        (tmp_path / name).write_text("a b c\n" * 50)
    assert set(load_task("language-words", tmp_path).class_names) == {"a", "b", "<eos>", "<unk>"}


def test_a_text_is_cut_at_lines_and_files_are_dealt_whole(tmp_path: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    one.mkdir()
    many.mkdir()
    (one / "book.txt").write_text(LINES, encoding="utf-8")
    for number in range(6):
        (many / f"{number}.txt").write_text(f"{number}" * 600)  # no newline at the end
    cut, dealt = load_task("language", one), load_task("language", many)
    first = [bytes(part.x[0, :6, 0].astype(np.uint8)) for part in (cut.train, cut.validation, cut.test)]
    assert first == [b" line "] * 3
    assert len(asked(cut, "test")) == pytest.approx(0.05 * len(LINES.encode()), rel=0.05)
    seen = [set(map(chr, np.unique(part.x))) - {"\n"} for part in (dealt.train, dealt.validation, dealt.test)]
    assert set.union(*seen) == set("012345")
    assert sum(map(len, seen)) == 6
    assert bytes(dealt.train.x.ravel().astype(np.uint8)).count(b"\n") == 3


def test_words_do_not_depend_on_the_size_of_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    content = np.frombuffer(("å bc\n\n def\t\tg" * 50 + " end").encode(), np.uint8)
    whole = [word for some in text.words(content) for word in some]
    counted = text.units(content)
    for piece in (1, 2, 3, 7):
        monkeypatch.setattr(text, "PIECE", piece)
        assert [word for some in text.words(content) for word in some] == whole
        assert text.units(content) == counted
        text.check_utf8(content, Path("some"))
    assert counted.words == len(whole)


def test_a_large_text_stays_on_the_disk(wiki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {name: load_task(name, wiki) for name in ("language", "language-words")}
    monkeypatch.setattr(text, "LARGE_BYTES", 1000)
    monkeypatch.setattr(prepared, "LARGE_BYTES", 1000)
    monkeypatch.setenv("BIM_NEURO_CACHE", str(tmp_path / "cache"))
    for name, task in small.items():
        large = load_task(name, wiki)
        assert large.train.y is not None
        assert large.train.y.dtype.itemsize < 8  # mapped arrays keep their type
        np.testing.assert_array_equal(large.train.x, task.train.x)
        np.testing.assert_array_equal(large.train.y, task.train.y)
        np.testing.assert_array_equal(large.test.y, task.test.y)
    assert {path.name.rpartition("-")[0] for path in (tmp_path / "cache").iterdir()} == {
        f"language-words-{split}" for split in ("train", "validation", "test")
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"good text\n" * 100 + b"\xff\n", "is not UTF-8: byte 1,000 is 0xff"),
        (b"good text\n" * 100 + b"\xc3", "is not UTF-8: byte 1,000 is 0xc3"),
        (b" \n" * 500, "holds no text"),
        (b"", "is empty"),
        (b"short\n", "the validation text has 6 tokens, a window takes 257"),
    ],
)
def test_a_text_that_is_none_is_refused(wiki: Path, content: bytes, words: str) -> None:
    (wiki / "wiki.valid.tokens").write_bytes(content)
    with pytest.raises(InputError, match=words):
        load_task("language", wiki)


def test_a_missing_split_is_named_with_its_page(wiki: Path) -> None:
    (wiki / "wiki.test.tokens").unlink()
    with pytest.raises(InputError, match=r"no file wiki\.test\.raw") as refusal:
        load_task("language", wiki)
    assert "huggingface.co" in refusal.value.hint


def test_a_link_is_followed_and_a_loop_of_links_refused(wiki: Path) -> None:
    path = wiki / "wiki.test.tokens"
    path.rename(wiki / "elsewhere")
    path.symlink_to("elsewhere")
    assert len(load_task("language", wiki).test)
    path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(InputError, match="a link that leads back to itself"):
        load_task("language", wiki)


def test_wikitext_has_the_published_words(recordings: Path) -> None:
    task = load_task("language-words", recordings / "wikitext2")
    assert [task.units[name].words for name in ("train", "validation", "test")] == [2_088_628, 217_646, 245_569]
    assert len(task.class_names) == 33_278
    assert len(asked(task, "test")) == 245_568


@pytest.mark.slow
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    """Private memory of a process that reads 30 and 120 MB; benchmarks/streamed_text.py reads 540 MB."""
    from benchmarks.streamed_text import measured

    grown = [measured(tmp_path / str(megabytes), megabytes, "language") for megabytes in (30, 120)]
    assert grown[1] < grown[0] + 16
    assert (tmp_path / "120" / "wiki.train.raw").stat().st_size > 120e6


def test_a_token_is_never_read_as_a_size(wiki: Path) -> None:
    for name in ("language", "language-words"):
        task = load_task(name, wiki)
        assert plan_for(task).encoder.kind == ("token" if name == "language" else "table")
        for kind in ("graded", "delta"):
            with pytest.raises(InputError, match=f"encoder {kind} would read the number of a token as a size"):
                _ = plan_for(task, encoder=kind).encoder
    many = " ".join(f"w{number}" for number in range(5000)) + " \n"
    (wiki / "wiki.train.tokens").write_text(many * 3)
    with pytest.raises(InputError, match=r"5,00\d tokens need a line each, at most 4,096 are taken"):
        _ = plan_for(load_task("language-words", wiki), encoder="token").encoder
    plan = plan_for(load_task("language-words", wiki))
    words = len(plan.task.class_names)
    assert (plan.encoder.tokens, plan.encoder.source.neurons) == (words, 64)
    assert (plan.config.adaptive, plan.config.classes) == (True, words + 2)
    full = plan_for(plan.task, softmax="full", embedding=16)
    assert (full.config.adaptive, full.config.classes, full.config.inputs) == (False, words, 16)
