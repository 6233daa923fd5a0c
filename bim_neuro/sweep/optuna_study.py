"""Proposals of optuna: NSGA-II for several objectives, TPE for one, kept in a journal file so that a sweep goes on.

A combination is computed once: what optuna proposes again is told the result it has; where it proposes nothing new any
more, the next untried combination of a drawn order is taken. Each space, with what is fixed, and each version of the
code has a study of its own in the journal: optuna cannot change the values of one, and old results are of another kind.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..extras import check_extra
from .objectives import Objective
from .origin import code, content_hash, digest_of
from .proposals import bounded
from .space import Space, shuffled
from .store import Store
from .trial import Maker, Trial

JOURNAL = "optuna.journal"
_AGAIN = 32
"""Proposals of combinations that were tried already before another is drawn."""
_DIGITS = 12  # of a study's name


class Study:
    """A study in the sweep's folder."""

    def __init__(
        self, space: Space, maker: Maker, store: Store, objectives: Sequence[Objective], seed: int, trials: int
    ) -> None:
        check_extra("sweep", "optuna", "--proposals optuna")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna, self._space, self._maker, self._store = optuna, space, maker, store
        self._objectives, self.total = objectives, bounded(min(trials, space.size))
        self._study = self._opened(store.folder / JOURNAL, seed)
        self._axes = {axis.name.full: optuna.distributions.CategoricalDistribution(axis.values) for axis in space.axes}
        self._flying: dict[str, int] = {}
        self._tried: set[str] = set()
        self._drawn = shuffled(space.size, seed)
        self._settle_old()

    def _opened(self, file: Path, seed: int) -> Any:
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        optuna, several = self._optuna, len(self._objectives) > 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # parts of optuna call themselves experimental
            storage = optuna.storages.JournalStorage(
                JournalFileBackend(str(file), lock_obj=JournalFileOpenLock(str(file)))
            )
            samplers = optuna.samplers
            sampler = samplers.NSGAIISampler(seed=seed) if several else samplers.TPESampler(seed=seed)
            return optuna.create_study(
                storage=storage,
                sampler=sampler,
                study_name=self._name(),
                directions=["maximize" if one.most else "minimize" for one in self._objectives],
                load_if_exists=True,
            )

    def _name(self) -> str:
        maker, axes = self._maker, [(axis.name.full, axis.values) for axis in self._space.axes]
        model = maker.task if maker.model is None else content_hash(maker.model)
        asked = digest_of([axes, {name: str(value) for name, value in maker.fixed.items()}, model, code()])
        return f"{','.join(one.name for one in self._objectives)} {asked[:_DIGITS]}"

    def _settle_old(self) -> None:
        """Tell what came of the trials that an earlier sweep had asked for."""
        for frozen in self._study.get_trials(deepcopy=False):
            key = frozen.user_attrs.get("key")
            if not frozen.state.is_finished():
                row = self._store.result(key) if key else None
                self._told(frozen.number, row)
            if key and self._store.result(key) is not None:
                self._tried.add(key)

    def next(self) -> Trial | None:
        """Ask optuna for a combination that was not tried."""
        if len(self._tried) >= self.total:
            return None
        for _ in range(_AGAIN):
            asked = self._study.ask(self._axes)
            trial = self._maker.trial(asked.params)
            if trial.key not in self._tried:
                return self._taken(asked, trial)
            self._told(asked.number, self._store.result(trial.key))
        for index in self._drawn:
            trial = self._maker.trial(self._space.at(index))
            if trial.key not in self._tried:
                self._study.enqueue_trial(self._space.at(index))
                return self._taken(self._study.ask(self._axes), trial)
        self.total = len(self._tried)
        return None

    def _taken(self, asked: Any, trial: Trial) -> Trial:
        asked.set_user_attr("key", trial.key)
        self._flying[trial.key] = asked.number
        self._tried.add(trial.key)
        return trial

    def tell(self, key: str, row: Mapping[str, Any]) -> None:
        """Tell optuna what came of a trial."""
        if key in self._flying:
            self._told(self._flying.pop(key), row)

    def _told(self, number: int, row: Mapping[str, Any] | None) -> None:
        """Tell values, or that there are none: the trial does not fit, was refused, or is not finished."""
        values = [] if row is None else [row["metrics"].get(one.column) for one in self._objectives]
        if not values or None in values:
            self._study.tell(number, state=self._optuna.trial.TrialState.FAIL, skip_if_finished=True)
        else:
            self._study.tell(number, [float(value) for value in values], skip_if_finished=True)
