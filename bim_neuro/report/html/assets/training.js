"use strict";
// How the model was trained: loss and validation score by epoch, from the record in model.pt.

function trainingSection() {
  const training = data.series.training;
  if (!training) return null;
  const { epoch, loss, value, score, epochs, best_epoch: best, rule } = training;
  const name = words(score);
  const tip = (point) => ({ title: `Epoch ${count(epoch[point])}`, rows: [["loss", digits(loss[point])], [`validation ${name}`, percent(value[point], 2)]] });
  const first = value.reduce((most, each, point) => (each > value[most] ? point : most), 0);
  const note = `${plural(epochs, "epoch")}${rule ? ` by ${rule}` : ""}; ${best ? `epoch ${count(best)} was kept.` : `validation ${name} was highest in epoch ${count(epoch[first])}.`}`;
  const rows = table("Training by epoch", [
    { head: "Epoch", value: (row) => row.epoch },
    { head: "Loss", value: (row) => row.loss, show: (row) => digits(row.loss) },
    { head: `Validation ${name}`, word: "validation score", value: (row) => row.value, show: (row) => percent(row.value, 2) },
  ], epoch.map((each, point) => ({ epoch: each, loss: loss[point], value: value[point] })));
  return section("training", "Training", "How it was trained", null, cards(card("Loss and score by epoch", { wide: true, note, fallback: rows },
    stripFigure("Training loss by epoch", "loss", loss, largest(loss), digits, "var(--c2)", tip),
    stripFigure(`Validation ${name} by epoch`, `validation ${name}`, value, 1, (most) => percent(most, 0), "var(--c1)", tip))));
}
