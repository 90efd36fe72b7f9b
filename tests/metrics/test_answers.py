"""Alignment of answers alone: what is compared, what is read with it, what stays as it is for text without prompts."""

from dataclasses import replace

import numpy as np
import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.fisher.estimator import Estimator, Settings
from workflow_scripts.fisher.reading import Batch as FisherBatch
from workflow_scripts.metrics.base import Batch
from workflow_scripts.metrics.inputs import decoded_answers, row_batches, whole_set
from workflow_scripts.metrics.registry import metric_class, metric_names
from workflow_scripts.ngrams.kneser_ney import ngrams_at
from workflow_scripts.tokens.parts import ANSWER, WHOLE
from workflow_scripts.tokens.rows import Rows, write_rows

BATCHES, ROWS, LENGTH = 4, 4, 64
HALF = LENGTH // 2
# A prompt changes what these say of the answer after it, and not what the others say.
READ_PROMPTS = {"ngram_cross_entropy", "ngram_whole", "ngram_whole_trigram", "hidden_state_cosine"}
WITHOUT_ENCODER = [
    name
    for name in metric_names()
    if metric_class(name).answers and "encoder" not in metric_class(name).needs
]


def pairs(prompts, answers, name):
    """Each row a prompt of half its length and an answer."""
    ids = np.concatenate([prompts[:, :HALF], answers[:, HALF:]], axis=1)
    mask = np.zeros(ids.shape, dtype=bool)
    mask[:, HALF:] = True
    return Rows(
        [f"{name}/{row}" for row in range(len(ids))],
        [[f"{name}-{row}"] for row in range(len(ids))],
        ids.astype(np.int32),
        np.full(len(ids), LENGTH, dtype=np.int32),
        mask,
    )


@pytest.fixture(scope="session")
def material(rows):
    """Two halves of the rows of each text."""
    whole = {name: np.concatenate([one.input_ids for one in several]) for name, several in rows.items()}
    half = BATCHES * ROWS
    return {
        f"{name}{number}": ids[number * half :][:half] for name, ids in whole.items() for number in (0, 1)
    }


@pytest.fixture(scope="session")
def files(material, tmp_path_factory):
    """Sets of pairs by name: the texts of their prompts and of their answers; and plain text."""
    folder = tmp_path_factory.mktemp("pairs")
    made = {
        "pairs": ("prose0", "code0"),
        "same_answers": ("code1", "code0"),
        "same_prompts": ("prose0", "prose1"),
    }
    for name, (prompts, answers) in made.items():
        write_rows(pairs(material[prompts], material[answers], name), folder / f"{name}.parquet")
    plain = pairs(material["prose0"], material["prose1"], "plain")
    write_rows(
        Rows(plain.row_ids, plain.doc_ids, plain.input_ids, plain.n_tokens, plain.attention_mask),
        folder / "plain.parquet",
    )
    return {path.stem: path for path in folder.glob("*.parquet")}


@pytest.fixture(scope="session")
def embedded(probe):
    """The batches of a set as a Fisher metric sees them; the same labels are drawn at the same places of all sets."""
    import torch
    from transformers import AutoModelForCausalLM

    from workflow_scripts.fisher.capture import survey
    from workflow_scripts.fisher.embedding import measure

    model = AutoModelForCausalLM.from_pretrained(probe).eval()
    torch.set_num_threads(1)
    route, estimator, kept = survey(model), replace(Estimator.corrected(), label_draws=1), {}

    def of(path, part):
        if (path, part) not in kept:
            batches = row_batches(path, BATCHES, ROWS, 0, part=part)
            measured = [
                measure(
                    model,
                    FisherBatch.of(
                        torch.from_numpy(batch.rows.input_ids),
                        torch.from_numpy(batch.rows.attention_mask),
                        answers=torch.from_numpy(batch.compared),
                        row_ids=[str(row) for row in range(batch.n_rows)],
                    ),
                    Settings(estimator),
                    route=route,
                )
                for batch in batches
            ]
            kept[path, part] = [
                Batch(batch.n_rows, one.n_scored, embedding=one.embedding.numpy())
                for batch, one in zip(batches, measured, strict=True)
            ]
        return kept[path, part]

    return of


@pytest.fixture
def features(tokenizer, files, embedded):
    """Features of the batches of a set by a metric."""

    def of(metric, name, part):
        if metric.estimator():
            return [metric.features(batch) for batch in embedded(files[name], part)]
        decoder = tokenizer if "text" in metric.needs else None
        return [metric.features(batch) for batch in row_batches(files[name], BATCHES, ROWS, 0, decoder, part)]

    return of


@pytest.mark.parametrize("name", WITHOUT_ENCODER)
def test_sets_that_agree_in_answers_are_alike_by_answers_and_not_as_a_whole(name, resources, features):
    """Batches have the same rows in all sets, so that they share all of their answers, or all of their prompts."""
    metric = metric_class(name)(resources)

    def alike(source, part):
        targets = features(metric, "pairs", part)
        return np.array(
            [metric.compare(*both) for both in zip(features(metric, source, part), targets, strict=True)]
        )

    assert (alike("same_answers", ANSWER) > alike("same_prompts", ANSWER)).all()
    itself = {part: alike("pairs", part) for part in (WHOLE, ANSWER)}
    for source in ("same_answers", "same_prompts"):
        assert (alike(source, WHOLE) < itself[WHOLE]).all()
    lost = {part: (itself[part] - alike("same_answers", part)).mean() for part in itself}
    assert lost[ANSWER] < lost[WHOLE]


@pytest.mark.parametrize("name", WITHOUT_ENCODER)
def test_prompts_are_context_or_nothing(name, resources, features):
    """The same answers after other prompts: the same features, but for measures that read the prompt first."""
    metric = metric_class(name)(resources)
    reads = metric.estimator() is not None or name in READ_PROMPTS
    for one, other in zip(
        features(metric, "pairs", ANSWER), features(metric, "same_answers", ANSWER), strict=True
    ):
        equal = all(np.array_equal(one[key], other[key]) for key in one)
        assert equal != reads


@pytest.mark.parametrize("name", WITHOUT_ENCODER)
def test_text_without_prompts_counts_as_a_whole(name, resources, features):
    metric = metric_class(name)(resources)
    for one, other in zip(features(metric, "plain", WHOLE), features(metric, "plain", ANSWER), strict=True):
        assert all(np.array_equal(one[key], other[key]) for key in one)


def test_kept_pieces_have_one_name_where_both_parts_are_the_same(files):
    for part, of_set in ((row_batches, "plain"), (row_batches, "pairs")):
        whole, answers = (part(files[of_set], BATCHES, ROWS, 0, part=which)[0] for which in (WHOLE, ANSWER))
        assert (whole.content.keys() == answers.content.keys()) == (of_set == "plain")
    for name in ("plain", "pairs"):
        keys = {whole_set(files[name], part).content["whole"] for part in (WHOLE, ANSWER)}
        assert len(keys) == (1 if name == "plain" else 2)


def test_tokens_of_answers_are_counted(files):
    assert {batch.n_tokens for batch in row_batches(files["pairs"], BATCHES, ROWS, 0, part=ANSWER)} == {
        ROWS * HALF
    }
    assert whole_set(files["pairs"], ANSWER).n_tokens == BATCHES * ROWS * HALF


def test_history_of_an_answer_reaches_into_its_prompt():
    ids = np.array([[1, 2, 3, 4]])
    ends = np.array([[False, False, True, True]])
    base = 11
    assert ngrams_at(ids, ends, 2, 10).tolist() == [2 * base + 3, 3 * base + 4]


def test_each_answer_of_a_row_stands_on_its_own_line(tokenizer):
    texts = ["what?", " one", "and then?", " two"]
    spans = [tokenizer(text, verbose=False)["input_ids"] for text in texts]
    ids = np.array([[token for span in spans for token in span]])
    mask = np.array([[number % 2 == 1 for number, span in enumerate(spans) for _ in span]])
    blank = Rows(
        ["a", "b"], [[], []], np.tile(ids, (2, 1)), np.full(2, ids.shape[1]), np.vstack([mask, mask])
    )
    assert decoded_answers(blank, tokenizer) == (" one\n two", " one\n two")
    mask[:] = False
    assert decoded_answers(Rows(["a"], [[]], ids, np.full(1, ids.shape[1]), mask), tokenizer) == ()


def test_a_batch_without_an_answer_is_an_error(material, tmp_path):
    rows = pairs(material["prose0"], material["code0"], "none")
    rows.loss_mask[:] = False
    write_rows(rows, tmp_path / "none.parquet")
    with pytest.raises(UserError, match=r"none\.parquet: none of the 4 rows of a batch contains an answer"):
        row_batches(tmp_path / "none.parquet", BATCHES, ROWS, 0, part=ANSWER)
