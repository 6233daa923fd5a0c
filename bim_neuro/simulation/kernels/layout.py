"""How a graph lies in memory: tables of numbers that every kernel reads, and the memory of one worker.

`engine.tables` fills both. A node is a row of ``nodes``, an edge a row of ``edges``; their columns are named here and
hold either a value or a place in one of the pools.
"""

from __future__ import annotations

from typing import NamedTuple

from ...nodes.arithmetic import Array

# kinds of nodes
SOURCE, RELAY, WIDE_SCAN, LIF, WIDE_LIF, READOUT, SCAN, CUBA, NARROW_RELAY, NARROW_READOUT = range(10)
GRADED, PRODUCT_NEURON, PLANE_LIF = 10, 11, 12

# places in `tables.units`, what a run calls by address; then the law of every kind of node
PLAY, SEND, GATHER, WIDE_GATHER, ARRIVE, CONVOLVE, FILL, SHIFT, VALUES, WIDE_VALUES = range(10)
COUNT, KEEP, JOIN, CURRENT, LAW = range(10, 15)
UNITS = LAW + 13

# kinds of synapses
DENSE, DIAGONAL, IDENTITY, PRODUCT, PAIRS, SPARSE, CONV, SHIFTED = range(8)
VALUE_KINDS = (DIAGONAL, IDENTITY, PAIRS)
RARE_KINDS = (PRODUCT, SPARSE)  # and dense ones of messages beyond 16 bits

# columns of `nodes`
KIND = 0
WIDTH = 1  # neurons
STATES = 2  # states a channel of a scan
DEPTH = 3  # the step at which a sample's first step arrives
GATED = 4  # silent and cleared outside its sample's window
SPIKES = 5  # messages are lists of active neurons; else rows of values
MASK = 6  # slots of the message ring, less one (a power of two)
MESSAGES = 7  # place in work.messages, slots x width
COUNTS = 8  # place in work.counts: messages that are not zero, a slot
STATE = 9  # place in work.state32 (narrow) or work.state64
WORDS = 10  # place in tables.words32 (narrow) or tables.words64: the node's parameters
SUMS = 11  # place in work.sums32 (narrow) or work.sums64: its ports' accumulators, one after another
SUM_WIDTH = 12  # neurons of all its ports
FIRST_EDGE = 13
LAST_EDGE = 14
PROBE = 15  # probed words a step before this node's
SPLIT = 16  # large enough for several threads, each with some of its neurons
NARROW = 17  # sums, state and parameters are of 32 bits
PITCH = 18  # from one row of a scan's state to the next
TOGETHER = 19  # steps whose sums are gathered before the law takes them one by one
WRITTEN = 20  # its first edge writes all sums, so that nobody need clear them
NODE_COLUMNS = 21

# columns of `edges`
SYNAPSE = 0
ORIGIN = 1  # the source node
LATE = 2  # steps from sending to arrival
PORT = 3  # place of the target's port within its accumulators
POST = 4  # neurons of the port
WEIGHT = 5  # place in tables.weights, rows of `pre`, and one of zeros
NONZERO = 6  # place in tables.words32: weights that are not zero, a presynaptic neuron
FAN = 7  # synapses a presynaptic neuron
FULL = 8  # no weight is zero
ROWS = 9  # how many rows of graded products an int32 block can hold
PRODUCTS = 10  # place in work.products of a synapse that BLAS multiplies
STRIDE = 11  # from one row of weights to the next
SHARED = 12  # every neuron of the target reads the whole port
FANS = 13  # place in tables.words32: synapses of every presynaptic neuron, where those differ; else -1
LISTS_AT = 14  # place in tables.words32: targets of a sparse synapse, lists of a convolution or of exponents
SHAPE = 15  # place in tables.words64: where a sender's targets begin, words of a convolution
RARE = 16  # the unit of what is not spikes over a dense synapse, see `rare` and `values`; or 0
ALL = 17  # weights that are not zero, of all presynaptic neurons
EDGE_COLUMNS = 18

# words of a convolution, see `planes`
GROUPS = 0
SENDERS = 1  # channels of a group that send
AREA = 2  # neurons of such a channel
CHANNELS = 3  # channels of a group that receive
TILES = 4  # of a group
TILE = 5  # channels of a tile
OUT_ROWS = 6
OUT_COLUMNS = 7
PLANE_PITCH = 8  # places from one row of accumulators to the next
MARGIN = 9  # places before the first column
LANES = 10  # accumulators that are added at once
BITS = 11  # of an accumulator
PAIRED = 12  # two channels are multiplied at once
BLOCK = 13  # weights of a channel that sends, or two, in a tile
ROW_STEP = 14  # weights from a row of runs to the next
PLANE = 15  # accumulators of a tile, margins included
REGISTERS = 16  # of a run: lanes that are added at once, so often
ROW_BACK = 17  # accumulators from a row of runs to the next, backwards
COLUMN_STEP = 18  # the same of columns of runs
COLUMN_BACK = 19
PLANE_SIZE = 20  # accumulators from one tile to the next, where all tiles have their own
SENT_TILES = 21  # of the senders of a group
SENT_TILE = 22  # channels of one: 1 in NIR's order
RECIPROCAL = 23  # a tile's neuron times it, shifted by 32, is its place: exact while neuron x channels < 2^32
UNTIL = 24  # where in the lists it says, for each place, which is the next with another list
CONV_WORDS = 25
LIGHT = 16  # bits of the accumulators that a layer in plane order reads

LINE = 64  # neurons: slices of a layer begin where a line of the cache does
TEAM_MAX = 64  # threads in one sample
LIF_WORDS = 4  # words of a LIF before its biases
PERIOD = 4  # place in the words of a LIF in plane order: biases of a tile until they repeat; they begin behind it
CALM = 3  # place in the words of a LIF of 32 bits: its current can neither wrap nor leak

# rows of the counters of a node
HARDWARE, EFFECTIVE, UPDATES, SENT, SATURATIONS = range(5)


class Tables(NamedTuple):
    """One graph. ``stages`` (stages, 3): first node, last node, and whether they form a loop."""

    nodes: Array  # int64 (nodes, NODE_COLUMNS)
    edges: Array  # int64 (edges, EDGE_COLUMNS), by target
    stages: Array  # int64 (stages, 3)
    weights: Array  # int8, row-major [pre, post]
    words32: Array  # int32
    words64: Array  # int64
    output: int
    probe_words: int  # probed words a step
    units: Array  # int64 (UNITS,), addresses; 0 of what the run does not use


class Listed(NamedTuple):
    """Input of some samples, listed once. A step's lines lie between two ``starts``; those of values only count."""

    starts: Array  # int64 (samples, steps + 1)
    spoken: Array  # int32, the lines that sent a spike, step after step
    values: Array  # int8 (samples, steps, lines); without steps where lines carry spikes
    first: int  # the step that the first start is of


class Work(NamedTuple):
    """The memory of one worker; nothing in it grows with the steps but ``counters``."""

    messages: Array  # int32
    counts: Array  # int32
    state32: Array  # int32
    state64: Array  # int64
    sums32: Array  # int32
    sums64: Array  # int64
    block32: Array  # int32, one row of partial sums of graded messages
    pairs: Array  # int32, 0, 1, 2, ...
    active: Array  # int32, which graded messages are not zero
    flags: Array  # uint8, who fired
    flag_words: Array  # uint64, the same memory
    channels: Array  # int64 (3, neurons), scratch of the wide scan
    lanes: Array  # int32, scratch of the scan
    plane16: Array  # int16, accumulators of a tile of a convolution; 0 between uses, as all planes
    plane32: Array  # int32
    plane64: Array  # int64
    turned: Array  # int32, sums of some channels and places of a convolution
    products: Array  # float64, what BLAS multiplied
    sent: Array  # int32 (steps of a chunk, members of a team): shared, messages of each slice
    counters: Array  # int64 (nodes, 5, columns)


class Call(NamedTuple):
    """All that a run knows. ``steps``, ``period`` and ``rows`` are its length, see `run`."""

    tables: Tables
    work: Work
    lines: Listed
    output: Array  # int64 (samples, neurons)
    probes: Array  # int64 (samples, probed words)
    steps: int
    period: int
    rows: int
