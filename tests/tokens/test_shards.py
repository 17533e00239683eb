"""Shards: what is written is what is read, from disk, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from anatomia.base.errors import UserError
from anatomia.tokens.shards import read_shard, token_type, write_shard


def test_documents_come_back(tmp_path: Path) -> None:
    write_shard(tmp_path, "train", iter([[1, 5, 2], [], [65535]]), token_type(65536))
    shard = read_shard(tmp_path, "train")
    assert [shard.document(i).tolist() for i in range(len(shard))] == [[1, 5, 2], [], [65535]]
    assert shard.tokens.dtype == np.uint16
    assert isinstance(shard.tokens, np.memmap)
    assert shard.weights is None
    assert np.load(tmp_path / "train.tokens.npy").tolist() == [1, 5, 2, 65535]


def test_weights_lie_beside_their_tokens(tmp_path: Path) -> None:
    shard = write_shard(tmp_path, "train", [([1, 70_000], [0, 1]), ([3], [1])], token_type(70_001))
    assert shard.tokens.tolist() == [1, 70_000, 3]
    assert shard.weights is not None
    assert shard.weights.tolist() == [0, 1, 1]
    assert write_shard(tmp_path, "train", [[1]], np.uint16).weights is None


def test_an_empty_shard_can_be_read(tmp_path: Path) -> None:
    assert len(write_shard(tmp_path, "validation", [], np.uint16)) == 0


@pytest.mark.parametrize("sequences", [[[1], ([2], [1])], [([1], [1]), [2]], [([1, 2], [1])], [[70_000]], [[-1]]])
def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path, sequences: list) -> None:
    with pytest.raises(ValueError, match="fit"):
        write_shard(tmp_path, "train", sequences, np.uint16)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_or_mixed_up_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no readable shard train"):
        read_shard(tmp_path, "train")
    write_shard(tmp_path, "train", [[1, 2]], np.uint16)
    write_shard(tmp_path, "other", [[1]], np.uint16)
    (tmp_path / "other.starts.npy").replace(tmp_path / "train.starts.npy")
    with pytest.raises(UserError, match="do not fit each other"):
        read_shard(tmp_path, "train")
