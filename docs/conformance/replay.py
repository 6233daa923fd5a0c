"""Replay the vectors of LIF neurons and dense synapses by a law of one's own: rules N7, N11, N12, N14, numpy alone."""

import json
import sys

import numpy as np


def lif(node, u, v, total):
    """Return current, voltage and spikes of the step after u and v, where ``total`` arrives."""
    u = np.sign(u) * (abs(u) * (4095 - node["du"]) >> 12) + (total << 6)
    u = np.where(u > 2**23, u - 2**24, np.where(u <= -(2**23), u + 2**24, u))
    v = np.sign(v) * (abs(v) * (4096 - node["dv"]) >> 12) + u + (node["bias_mant"] << node["bias_exp"])
    v = np.clip(v, 1 - 2**23, 2**23 - 1)
    spikes = v > node["v_threshold"] << 6
    return {"u": u, "v": np.where(spikes, 0, v), "message": spikes.astype(np.int64)}


def replay(held):
    """Return {'NODE.message', 'NODE.u', 'NODE.v': (samples, period, neurons)}."""
    header = json.loads(str(held["header"]), object_hook=lambda table: held.get(table.get("array"), table))
    graph, x = header["graph"], held["x"].astype(np.int64)
    nodes, depth = graph["nodes"]["items"], graph["depth"]["items"]
    period = x.shape[1] + header["gap"]
    steps = [{} for _ in range(period + max(depth.values()))]
    for t, now in enumerate(steps):
        for name, node in nodes.items():
            if node["type"] == "Source":
                now[name] = {"message": x[:, t] if t < x.shape[1] else 0 * x[:, 0]}
                continue
            total = np.zeros((len(x), node["size"]), np.int64)
            for edge in graph["edges"]:
                sent = t - 1 - edge["delay"]
                if edge["target"] == name and sent >= 0:
                    total += steps[sent][edge["source"]]["message"] @ edge["synapse"]["weight"].T.astype(np.int64)
            rest = {"u": 0 * total, "v": 0 * total}  # until a sample reaches the node
            before = steps[t - 1][name] if t > depth[name] else rest
            now[name] = lif(node, before["u"], before["v"], total)
    kinds = [(name, kind) for name in nodes for kind in steps[0][name]]
    rows = {(name, kind): steps[depth[name] :][:period] for name, kind in kinds}
    return {f"{name}.{kind}": np.stack([row[name][kind] for row in rows[name, kind]], 1) for name, kind in kinds}


for file in sys.argv[1:]:
    held = dict(np.load(file))
    ours = replay(held)
    wrong = [key for key in ours if not np.array_equal(held[f"expected:{key}"], ours[key])]
    sys.stdout.write(f"{file}: {'differs in ' + ', '.join(wrong) if wrong else f'{len(ours)} arrays are equal'}\n")
