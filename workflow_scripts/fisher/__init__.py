"""The Fisher embedding: what a probe would have to change, weight by weight, to learn from a batch of text."""

from workflow_scripts.fisher.distance import distance, distance_matrix
from workflow_scripts.fisher.embedding import Measurement, embed, measure
from workflow_scripts.fisher.estimator import Estimator
from workflow_scripts.fisher.layout import layout

__all__ = ["Estimator", "Measurement", "distance", "distance_matrix", "embed", "layout", "measure"]
