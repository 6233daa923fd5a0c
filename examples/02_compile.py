"""Compile a trained model for Loihi 2: which cores it takes, what is assumed, and an artefact that tests itself."""

from pathlib import Path

import bim_neuro

program = bim_neuro.compile(Path(__file__).parent / "digits.pt", target="loihi2")
for core in program.placed.cores:
    used, limit = core.resources["core_words"]
    print(f"core {core.index}: {core.layer} neurons {core.first} to {core.last}, {used:.0f} of {limit:.0f} words")
for sentence in program.assumptions:
    print("assumes:", sentence)

program.save("digits.bimn", bim_neuro.load_task("digits").test.x[:2])
print("self-test:", bim_neuro.self_test(bim_neuro.load("digits.bimn")), "messages equal")
