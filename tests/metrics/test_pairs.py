"""Which pairs are compared."""

from workflow_scripts.metrics.pairs import all_pairs, needed_pairs

FLOOR = "random.train"
SETS = ["a.train", "b.train", "a.eval", "c.eval", FLOOR]


def test_all_pairs_are_ordered_pairs_and_the_floor_with_each_set():
    assert set(all_pairs(SETS, FLOOR)) == {(one, other) for one in SETS for other in SETS}
    without = [name for name in SETS if name != FLOOR]
    assert set(all_pairs(without, FLOOR)) == {
        (a, b) for a in SETS for b in without if a != FLOOR or b != FLOOR
    }


def test_needed_pairs_are_training_with_evaluation_each_with_itself_and_the_floor():
    pairs = set(needed_pairs(SETS, SETS, FLOOR))
    trained = {(a, b) for a in ("a.train", "b.train") for b in ("a.eval", "c.eval")}
    assert pairs == trained | {(name, name) for name in SETS} | {(FLOOR, name) for name in SETS}


def test_blocks_share_all_needed_pairs_and_none_is_in_two():
    blocks = [needed_pairs(sources, SETS, FLOOR) for sources in (SETS[:2], SETS[2:4], SETS[4:])]
    assert sum(map(len, blocks)) == len(needed_pairs(SETS, SETS, FLOOR))
    assert {pair for block in blocks for pair in block} == set(needed_pairs(SETS, SETS, FLOOR))
    for block, sources in zip(blocks, (SETS[:2], SETS[2:4], SETS[4:]), strict=True):
        assert set(block.values()) == set(sources)  # so no two jobs write the same file of the store
        assert all(owner in pair for pair, owner in block.items())
