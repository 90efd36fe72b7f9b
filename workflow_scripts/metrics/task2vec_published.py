"""The measure as it was released: the estimator `published` and an absolute epsilon in the distance."""

from workflow_scripts.metrics.task2vec import Task2Vec


class Task2VecPublished(Task2Vec):
    """1 - d(a, b), d(a, b) = 1 - cos(a / (a + b + 1e-8), b / (a + b + 1e-8)), over all coordinates.

    The constant acts as a threshold that depends on the scale of the Fisher information: coordinates well
    below it have no influence.
    """

    name = "task2vec_published"
    needs = ("embeddings:published",)
    answers = False  # as released
    has_scale = False
    epsilon = 1e-8
    mixes = "mean"  # it squares the means of minibatches, and a mixture would have other minibatches
