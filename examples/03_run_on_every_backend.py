"""Run the same samples in float, in our integers and on Lava, and compare them layer by layer."""

from pathlib import Path

import bim_neuro

test = bim_neuro.load_task("digits").test
x, y = test.x[:2], test.y[:2]
program = bim_neuro.compile(Path(__file__).parent / "digits.pt")

floats = program.run_float(x)
integers = program.run(x, probe=True)
print("labels   ", y.tolist())
print("float    ", floats.predicted.tolist())
print("integers ", integers.predicted.tolist())

available, reason = bim_neuro.lava_available()
if available:
    result = bim_neuro.verify(integers, program.run(x, backend="lava"))
    print(f"lava      {result['equal']} of {result['spike_slots']} spike slots equal, "
          f"{result['states_equal']} of {result['states']} state values equal")  # fmt: skip
else:
    print("lava      not installed:", reason)
