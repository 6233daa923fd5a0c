"""Energy and time of each layer: counts times the profile's prices and times, as a range."""

from pathlib import Path

import bim_neuro

program = bim_neuro.compile(Path(__file__).parent / "digits.pt")
x = bim_neuro.load_task("digits").test.x[:16]
time, energy = program.latency(x), program.energy(x)

for layer in energy.layers:
    if layer.total.value is not None:
        terms = ", ".join(f"{event} {cost.value / 1e3:.1f}" for event, cost in layer.events.items() if cost.value)
        print(f"{layer.layer:<12} {layer.total.value / 1e3:8.1f} nJ a sample ({terms})")
print(f"dynamic {energy.dynamic.low / 1e6:.2f} to {energy.dynamic.high / 1e6:.2f} uJ a sample, "
      f"weakest basis: {energy.weakest_basis}; unpriced: {', '.join(energy.unpriced)}")  # fmt: skip
print(f"a sample is answered after {time.answer_us.low:.0f} to {time.answer_us.high:.0f} us; "
      f"core {time.busiest.core} is busiest, with {', '.join(time.busiest.layers)}")  # fmt: skip
