"""Golden integers worked out by hand, and the float laws held to norse and to the torch block."""

import numpy as np
import pytest
import torch
from small_models import small_checkpoint, small_input

from bim_neuro.model.export import export
from bim_neuro.nodes import LIF, Broadcast, Dense, Diagonal, IntegerLIF, IntegerReadout, IntegerRelay, fit_encoder
from bim_neuro.nodes.lif import wrap
from bim_neuro.simulation.reference import simulate_float


def run_lif(node: IntegerLIF, inputs: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Return u, v and spikes of one neuron over the inputs."""
    state = node.initial(())
    trace = []
    for i in inputs:
        state, s, _ = node.step(state, {"i": np.array([i])})
        trace.append((int(state["u"][0]), int(state["v"][0]), int(s[0])))
    u, v, s = zip(*trace, strict=True)
    return list(u), list(v), list(s)


def test_n7_current_loses_du_plus_one() -> None:
    """Lava, measured: a current of 100 << 6 decays 6400 -> 6398 -> 6396 with du = 0, not at all without the +1."""
    u, _, _ = run_lif(IntegerLIF(1, du=0, dv=0, v_threshold=2**17 - 1, bias_mant=np.zeros(1, int)), [100, 0, 0])
    assert u == [6400, 6398, 6396]


def test_n7_voltage_leaks_towards_zero_and_fires_strictly_above() -> None:
    """dv = 2048 halves: 640, 640 + 320 = 960, 1120; the threshold 15 << 6 = 960 is not passed at 960."""
    _, v, s = run_lif(IntegerLIF(1, du=4095, dv=2048, v_threshold=15, bias_mant=np.zeros(1, int)), [10, 10, 10])
    assert (v, s) == ([640, 960, 0], [0, 0, 1])


def test_n7_a_threshold_off_by_one_changes_the_spikes() -> None:
    golden = run_lif(IntegerLIF(1, 4095, 2048, 15, np.zeros(1, int)), [10, 10, 10])[2]
    faulty = run_lif(IntegerLIF(1, 4095, 2048, 14, np.zeros(1, int)), [10, 10, 10])[2]
    assert golden != faulty


def test_n7_wraps_u_and_saturates_v() -> None:
    """Lava, measured: u = 8388508 with 100 << 6 more becomes -8382308; 2^23 itself is kept."""
    assert wrap(np.array([8388508 + 6400, 2**23, -(2**23)]))[0].tolist() == [-8382308, 2**23, 2**23]
    node = IntegerLIF(1, 4095, 0, 2**17 - 1, np.zeros(1, int))
    state, _, _ = node.step(node.initial(()), {"i": np.array([1 - 2**17])})
    state, _, saturated = node.step(state, {"i": np.array([1 - 2**17])})
    assert saturated == 1
    assert state["v"].tolist() == [1 - 2**23]


def test_n8_relay_by_hand() -> None:
    node = IntegerRelay(np.array([3, 2]), 1, np.array([1, 0]))
    _, message, saturated = node.step({}, {"a": np.array([5, 2**17])})
    assert message.tolist() == [8, 32767]
    assert saturated == 1


def test_n10_readout_by_hand() -> None:
    node = IntegerReadout(2**15, np.array([1]), 0, np.array([0]))
    state = node.initial(())
    seen = []
    for a in (100, 0, -7):
        state, v, _ = node.step(state, {"a": np.array([a])})
        seen.append(int(v[0]))
    assert seen == [100, 50, 18]


def test_n11_synapses_by_hand() -> None:
    message = np.array([[1, 0, 2]])
    assert Dense(np.array([[1, 2, 3], [-1, 0, 4]], np.int8)).apply(message).tolist() == [[7, 7]]
    assert Diagonal(np.array([5, 6, -7], np.int8)).apply(message).tolist() == [[5, 0, -14]]
    assert Dense(np.array([[1, 2, 3], [-1, 0, 4]], np.int8)).synops(np.array([1, 1, 1])) == (6, 5)
    assert Diagonal(np.array([5, 0], np.int8)).synops(np.array([2, 2])) == (4, 2)
    assert Broadcast(3, 10).synops(np.array([1, 0, 1])) == (20, 20)


def test_encoder_reaches_the_whole_8_bit_range() -> None:
    raw = np.linspace(-2, 6, 1001).reshape(1, -1, 1)
    encoded = fit_encoder("graded", raw).encode(raw)
    assert (encoded.min(), encoded.max()) == (-127, 127)


def test_send_on_delta_rebuilds_the_signal_within_its_threshold() -> None:
    raw = np.cumsum(np.random.default_rng(0).uniform(-0.2, 0.2, (2, 50, 1)), axis=1)
    encoder = fit_encoder("delta", raw)
    events = encoder.encode(raw)
    rebuilt = raw[:, :1] + np.cumsum(events[..., :1] - events[..., 1:], axis=1) / encoder.gain
    assert set(np.unique(events)) <= {0, 1}
    assert np.abs(rebuilt - raw).max() < 2 / encoder.gain[0]


def test_float_lif_equals_norse() -> None:
    """norse integrates v + dt tau_inv (leak - v + i); with tau_inv dt = 1 - decay and its input scaled, ours."""
    norse = pytest.importorskip("norse.torch.functional.lif_box")
    decay, threshold = 0.75, 1.0
    parameters = norse.LIFBoxParameters(
        tau_mem_inv=torch.tensor((1 - decay) / 1e-3, dtype=torch.float64),
        v_th=torch.tensor(threshold, dtype=torch.float64),
        v_leak=torch.tensor(0.0, dtype=torch.float64),
        v_reset=torch.tensor(0.0, dtype=torch.float64),
    )
    currents = np.random.default_rng(0).normal(0.2, 0.6, (200, 1, 8))
    ours = LIF(8, decay, threshold, np.zeros(8))
    state, their_state = ours.initial((1,)), norse.LIFBoxFeedForwardState(v=torch.zeros(1, 8, dtype=torch.float64))
    total = 0
    for i in currents:
        state, s, _ = ours.step(state, {"i": i})
        current = torch.tensor(i / (1 - decay))
        z, their_state = norse.lif_box_feed_forward_step(current, their_state, parameters, dt=1e-3)
        np.testing.assert_array_equal(s, z.numpy())
        np.testing.assert_allclose(state["v"], their_state.v.numpy(), atol=1e-12)
        total += int(s.sum())
    assert total > 50


@pytest.mark.parametrize("blocks", [1, 2])
def test_torch_sequence_form_step_form_and_numpy_law_agree(blocks: int) -> None:
    checkpoint = small_checkpoint(blocks=blocks)
    network = checkpoint.network().double()
    x = checkpoint.encoder.to_float(checkpoint.encoder.encode(small_input(samples=8, steps=20)))
    time_first = torch.tensor(x).transpose(0, 1)
    with torch.no_grad():
        logits = network(time_first)
        spikes = network.spikes(time_first)
        state = network.initial(len(x))
        steps = []
        for x_t in time_first:
            r, state = network.step(x_t, state)
            steps.append(r)
    record = simulate_float(export(checkpoint), x)
    np.testing.assert_allclose(torch.stack(steps).mean(0).numpy(), logits.numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(record.output / x.shape[1], logits.numpy(), rtol=1e-9, atol=1e-9)
    for index, layer in enumerate(spikes):
        np.testing.assert_array_equal(record.probes[f"block{index + 1}.lif.message"], layer.transpose(0, 1).numpy())
    assert 0.02 < float(spikes[0].mean()) < 0.9
