import hashlib
import logging
import shutil

import numpy as np

from workflow_scripts.storage.content_store import ContentStore, content_key


def test_keys_tell_names_types_shapes_and_values_apart():
    zeros = np.zeros(4, dtype=np.float32)
    keys = [
        content_key(a=zeros),
        content_key(b=zeros),
        content_key(a=zeros.astype(np.float64)[:2]),
        content_key(a=zeros.reshape(2, 2)),
        content_key(a=zeros, b=1),
        content_key(a=zeros, b="1"),
        content_key(a=zeros + 1),
    ]
    assert len(set(keys)) == len(keys)
    assert content_key(x=1, y={"p": 1, "q": 2}) == content_key(y={"q": 2, "p": 1}, x=1)


def test_what_is_put_comes_back(tmp_path):
    store = ContentStore(tmp_path)
    key = content_key(x=1)
    assert store.get(key) is None
    store.put(key, {"values": np.arange(6).reshape(2, 3)})
    np.testing.assert_array_equal(store.get(key)["values"], np.arange(6).reshape(2, 3))


def test_a_damaged_file_is_named_dropped_and_not_returned(tmp_path, caplog):
    store = ContentStore(tmp_path)
    key = content_key(x=1)
    store.put(key, {"values": np.arange(6.0)})
    content = bytearray(store.path(key).read_bytes())
    content[-1] ^= 1
    store.path(key).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert store.get(key) is None
    assert str(store.path(key)) in caplog.text
    assert not store.path(key).exists()


def test_a_piece_in_the_place_of_another_is_noticed_and_older_pieces_stay_valid(tmp_path, caplog):
    store = ContentStore(tmp_path)
    one, other = content_key(x=1), content_key(x=2)
    store.put(one, {"values": np.arange(6.0)})
    store.path(other).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(store.path(one), store.path(other))
    assert store.get(other) is None
    assert str(store.path(other)) in caplog.text
    payload = store.path(one).read_bytes()[32:]
    store.path(one).write_bytes(hashlib.sha256(payload).digest() + payload)
    np.testing.assert_array_equal(store.get(one)["values"], np.arange(6.0))
