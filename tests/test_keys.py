import itertools

import jax

from ltr import keys


def bits(key: jax.Array) -> tuple[int, ...]:
    return tuple(jax.random.key_data(key).tolist())


def test_every_seed_and_replicate_has_its_own_key_and_0_is_a_seed() -> None:
    roots = {bits(keys.root(seed, replicate)) for seed, replicate in itertools.product(range(5), range(5))}
    assert len(roots) == 25


def test_the_same_words_give_the_same_key() -> None:
    assert bits(keys.fold(keys.root(0, 0), "init")) == bits(keys.fold(keys.root(0, 0), "init"))


def test_purposes_and_indices_give_different_keys() -> None:
    root = keys.root(0, 0)
    folded = [
        keys.fold(root, purpose, *indices)
        for purpose in ("init", "data order", "random_reinit", "random_mask")
        for indices in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))
    ]
    assert len({bits(key) for key in [root, *folded]}) == 25


def test_keys_do_not_drift() -> None:
    assert bits(keys.fold(keys.root(0, 0), "init")) == (2764000862, 1852361740)
    assert bits(keys.fold(keys.root(7, 2), "random_mask", 3, 1)) == (3620948980, 1572415828)
