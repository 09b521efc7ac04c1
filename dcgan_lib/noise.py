"""Random numbers that depend on a seed and a stream alone: the same bits on every machine and every engine.

What belongs here: the generator of random numbers. What it is used for stands where it is used.
"""

from collections.abc import Sequence

import numpy as np

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def uniform(shape: Sequence[int], seed: int, stream: int, low: float, high: float) -> np.ndarray:
    """Numbers spread evenly over [low, high): float32 of this shape, to the bit those of TensorFlow.

    Its ``tf.random.stateless_uniform`` with ``seed=(seed, stream)`` and ``alg="philox"``, which other engines have not:
    Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), whose key and first counter are
    themselves drawn from seed and stream.
    """
    words = [[int(number) >> shift & 0xFFFFFFFF] for number in (seed, stream) for shift in (0, 32)]
    mixed = _philox(words, (0x3EC8F720, 0x02461E29))[0]
    size = int(np.prod(shape))
    blocks = np.arange(-(-size // 4))  # four numbers come out of each
    bits = _philox((blocks, 0 * blocks, 0 * blocks + mixed[2], 0 * blocks + mixed[3]), mixed[:2]).ravel()[:size]
    # 23 bits as the fraction of a float32 in [1, 2).
    unit = (bits & np.uint32(0x7FFFFF) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)
    return (unit * np.float32(high - low) + np.float32(low)).reshape(shape)


def _philox(counter: Sequence[Sequence[int]], key: Sequence[int]) -> np.ndarray:
    """Ten rounds on n counters of four words each, given as four rows of n: uint32 (n, 4)."""
    a, b, c, d = (np.asarray(word, np.uint64) for word in counter)
    first, second = (np.uint64(word) for word in key)
    for _ in range(10):
        left, right = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (right >> _HALF) ^ b ^ first, right & _LOW, (left >> _HALF) ^ d ^ second, left & _LOW
        first, second = (first + np.uint64(0x9E3779B9)) & _LOW, (second + np.uint64(0xBB67AE85)) & _LOW
    return np.stack((a, b, c, d), axis=-1).astype(np.uint32)
