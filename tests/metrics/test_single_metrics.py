"""Each metric against its definition, written as plainly as it reads."""

import gzip
import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from workflow_scripts.errors import UserError
from workflow_scripts.metrics.base import Batch, Resources
from workflow_scripts.metrics.gzip_pairs import PARTNERS, GzipPairs, compressed_length, partner_offsets
from workflow_scripts.metrics.hidden_state_cosine import HiddenStateCosine
from workflow_scripts.metrics.ngram_cross_entropy import NgramCrossEntropy
from workflow_scripts.metrics.task2vec import Task2Vec
from workflow_scripts.metrics.task2vec_body import Task2VecBody
from workflow_scripts.metrics.task2vec_published import Task2VecPublished
from workflow_scripts.metrics.task2vec_roots import Task2VecRoots
from workflow_scripts.metrics.tfidf_cosine import TfidfCosine
from workflow_scripts.metrics.unigram_js import UnigramJS
from workflow_scripts.tokens.rows import Rows


def token_batch(ids, n_tokens=None):
    ids = np.asarray(ids, dtype=np.int32)
    n_tokens = np.full(len(ids), ids.shape[1]) if n_tokens is None else np.asarray(n_tokens)
    names = [str(i) for i in range(len(ids))]
    rows = Rows(
        names, [[name] for name in names], ids, n_tokens.astype(np.int32), np.ones(ids.shape, dtype=bool)
    )
    return Batch(len(ids), int(n_tokens.sum()), rows=rows)


def compared(metric, source, target):
    return metric.compare(metric.features(source), metric.features(target))


def test_unigram_js_is_one_minus_scipys_squared_distance():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, (5, 11)), rng.integers(4, 15, (5, 11))
    p, q = (np.bincount(ids.ravel(), minlength=15) for ids in (a, b))
    expected = 1 - jensenshannon(p, q, base=2) ** 2
    assert compared(UnigramJS(Resources()), token_batch(a), token_batch(b)) == pytest.approx(expected)


def test_unigram_js_of_texts_without_a_common_token_is_zero_and_padding_is_not_counted():
    metric = UnigramJS(Resources())
    a = token_batch([[1, 2, 9, 9], [2, 2, 1, 9]], [2, 3])
    assert compared(metric, a, token_batch([[3, 4, 5, 9]], [3])) == pytest.approx(0)
    assert compared(metric, a, token_batch([[1, 2, 2, 1, 2]])) == pytest.approx(1)


def plain_trigram(source, target, vocabulary):
    """Witten-Bell as the formula reads, one token at a time."""
    followers, counts = {}, Counter()
    for row in source:
        padded = ["start", "start", *row]
        for t in range(2, len(padded)):
            for n in range(3):
                history = tuple(padded[t - n : t])
                counts[(*history, padded[t])] += 1
                followers.setdefault(history, []).append(padded[t])

    def probability(token, history):
        lower = probability(token, history[1:]) if history else 1 / vocabulary
        if history not in followers:
            return lower
        different = len(set(followers[history]))
        return (counts[(*history, token)] + different * lower) / (len(followers[history]) + different)

    logs = []
    for row in target:
        padded = ["start", "start", *row]
        logs += [math.log(probability(padded[t], tuple(padded[t - 2 : t]))) for t in range(2, len(padded))]
    return np.mean(logs)


def test_ngram_cross_entropy_is_the_formula():
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, 6, (4, 30)), rng.integers(0, 8, (4, 30))
    metric = NgramCrossEntropy(Resources(vocabulary_size=8))
    found = compared(metric, token_batch(source), token_batch(target))
    assert found == pytest.approx(plain_trigram(source.tolist(), target.tolist(), 8))


def test_ngram_cross_entropy_leaves_padding_out():
    metric = NgramCrossEntropy(Resources(vocabulary_size=8))
    source = token_batch([[1, 2, 3, 0, 0], [3, 1, 0, 0, 0]], [3, 2])
    target = token_batch([[1, 2, 0, 0, 0]], [2])
    assert compared(metric, source, target) == pytest.approx(plain_trigram([[1, 2, 3], [3, 1]], [[1, 2]], 8))


def test_ngram_probabilities_of_all_tokens_add_up_to_one():
    source = np.random.default_rng(1).integers(0, 5, (3, 20))
    metric = NgramCrossEntropy(Resources(vocabulary_size=7))
    history = [source[0, 3], source[0, 4]]
    scores = {}
    for token in range(7):
        # Two rows that differ in the last token alone: the difference of sums is that token's log probability.
        with_token = compared(metric, token_batch(source), token_batch([[*history, token]])) * 3
        without = compared(metric, token_batch(source), token_batch([history])) * 2
        scores[token] = math.exp(with_token - without)
    assert sum(scores.values()) == pytest.approx(1)


@pytest.mark.parametrize("size", [0, 1, 200, 249, 250, 251, 500, 761, 762, 763, 1500, 5000, 40_000])
def test_compressed_length_is_gzips(size):
    rng = np.random.default_rng(size)
    words = [bytes(rng.integers(97, 123, 5)) for _ in range(40)]
    text = b" ".join(words[i] for i in rng.integers(0, 40, size // 6 + 1))[:size]
    assert compressed_length(text) == len(gzip.compress(text))


@pytest.mark.parametrize("n", [1, 4, 5, 8, 12, 32, 64])
def test_partners_are_the_same_from_both_sides(n):
    offsets = partner_offsets(n)
    assert 0 in offsets and len(offsets) == len(set(offsets)) <= n
    assert {-offset % n for offset in offsets} == set(offsets)
    assert len(offsets) == PARTNERS or n < 2 * PARTNERS


def test_gzip_pairs_of_few_documents_is_the_papers_formula():
    a = [
        f"a sentence about {thing}, said in {year}"
        for thing, year in zip("pqrst", range(1990, 1995), strict=True)
    ]
    b = [f"class {thing}: pass  # {thing * 9}" for thing in ("One", "Two", "Three", "Four", "Five")]

    def ncd(s, t):
        c_s, c_t, c_both = (len(gzip.compress(text.encode())) for text in (s, t, min(s, t) + max(s, t)))
        return (c_both - min(c_s, c_t)) / max(c_s, c_t)

    offsets = partner_offsets(5)
    expected = np.mean([1 - ncd(a[i], b[(i + k) % 5]) for i, k in itertools.product(range(5), offsets)])
    made = [Batch(5, 0, texts=tuple(texts)) for texts in (a, b)]
    assert compared(GzipPairs(Resources()), *made) == pytest.approx(expected)


def test_gzip_pairs_does_not_depend_on_threads(batches):
    one, several = (GzipPairs(Resources(threads=threads)) for threads in (1, 3))
    features = {name: [one.features(batch) for batch in many] for name, many in batches(GzipPairs).items()}
    first, second = (metric.table(features["prose"], features["code"]) for metric in (one, several))
    assert (first == second).all()


def test_tfidf_cosine_is_scikit_learns():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics.pairwise import cosine_similarity

    a = ("The cat sat on the mat.", "A cat, a mat.", "forall x, p x")
    b = ("The dog sat.", "theorem foo : forall x, p x := by simp", "Mats and dogs.")
    vectorizer = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", norm=None)
    weighted = vectorizer.fit_transform([*a, *b]).toarray()
    expected = cosine_similarity([weighted[:3].sum(axis=0)], [weighted[3:].sum(axis=0)])[0, 0]
    found = compared(TfidfCosine(Resources()), Batch(3, 0, texts=a), Batch(3, 0, texts=b))
    assert found == pytest.approx(expected)


def test_hidden_state_is_the_mean_over_real_tokens(resources, probe):
    import torch
    from transformers import AutoModel

    ids = np.random.default_rng(0).integers(0, 400, (10, 12))
    n_tokens = [12, 3, 5, 12, 1, 12, 7, 8, 9, 2]
    found = HiddenStateCosine(resources).features(token_batch(ids, n_tokens))["state"]
    model = AutoModel.from_pretrained(probe).eval()
    with torch.no_grad():
        states = [
            model(input_ids=torch.tensor(row[None, :n])).last_hidden_state[0].numpy()
            for row, n in zip(ids, n_tokens, strict=True)
        ]
    assert found == pytest.approx(np.concatenate(states).mean(axis=0), abs=1e-5)


def test_body_sees_neither_token_nor_position_rows(resources):
    metric = Task2VecBody(resources)
    width = metric.length
    embedding = np.random.default_rng(0).random(width)
    left_out = 400 + 64
    moved = embedding.copy()
    moved[:left_out] *= np.random.default_rng(1).random(left_out)
    assert len(metric.features(Batch(8, 0, embedding=embedding))["embedding"]) == width - left_out
    assert compared(metric, Batch(8, 0, embedding=embedding), Batch(8, 0, embedding=moved)) == pytest.approx(
        1
    )


def test_body_refuses_embeddings_of_another_probe(resources):
    with pytest.raises(UserError, match="made with another probe"):
        Task2VecBody(resources).features(Batch(8, 0, embedding=np.ones(7)))


def test_roots_give_the_overlap_of_two_shares_of_information():
    metric = Task2VecRoots(Resources())
    a, b = np.array([1.0, 3.0, 0.0]), np.array([8.0, 0.0, 8.0])
    # sqrt(1/4 x 1/2): only the first coordinate has a share on both sides.
    found = compared(metric, Batch(8, 0, embedding=a), Batch(8, 0, embedding=b))
    assert found == pytest.approx(np.sqrt(1 / 8))


def test_roots_hardly_notice_coordinates_with_little_information():
    random = np.random.default_rng(0)
    a = np.concatenate([random.random(50), np.full(500, 1e-6)])
    b = a * np.concatenate([np.ones(50), np.exp(random.normal(size=500))])
    roots, quotients = (
        compared(metric(Resources()), Batch(8, 0, embedding=a), Batch(8, 0, embedding=b))
        for metric in (Task2VecRoots, Task2Vec)
    )
    assert roots > 0.999 > quotients


def test_published_form_depends_on_scale():
    metric = Task2VecPublished(Resources())
    a, b = (np.random.default_rng(seed).random(50) for seed in (0, 1))
    large = compared(metric, Batch(8, 0, embedding=a), Batch(8, 0, embedding=b))
    small = compared(metric, Batch(8, 0, embedding=a * 1e-9), Batch(8, 0, embedding=b * 1e-9))
    assert abs(large - small) > 0.01
