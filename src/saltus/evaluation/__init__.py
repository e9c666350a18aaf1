"""Measures of generated items: distances to real items with their floor, likelihood, diversity, memorisation, and collapse to the mean."""

from saltus.evaluation.by_level import LEVEL_METRICS, LevelFigures, by_level, draw_by_level
from saltus.evaluation.choice import CHOICE_ITEMS, CHOICE_SEED, TEMPERATURES, choose_sampling, chosen_by, keep_sampling, words_of
from saltus.evaluation.classification import Classification, classification_accuracy
from saltus.evaluation.collapse import (
    Collapse,
    Step,
    decoder_path,
    exact_decoder_path,
    measure_collapse,
    pair_growth,
    small_growth,
    spread,
)
from saltus.evaluation.cost import multiply_adds
from saltus.evaluation.distances import diversity, energy_distance, mean_distance, mean_pairwise_distance, sliced_wasserstein
from saltus.evaluation.evaluator import MOST_ITEMS, Evaluator, Figures, measurable
from saltus.evaluation.features import Features, features_for
from saltus.evaluation.floors import (
    GAUSSIAN,
    MIXTURE,
    ClosedForm,
    bound_beside,
    closed_forms,
    closed_oracles,
    closed_samples,
    fitted_gaussian,
    remarks,
    start_mixture,
    takes_gaussian,
)
from saltus.evaluation.inception import inception_features, inception_network
from saltus.evaluation.latent_use import LatentUse, latent_use
from saltus.evaluation.likelihood import Likelihood, likelihood
from saltus.evaluation.metrics import DEFAULT_METRICS, FEATURE_METRICS, INCEPTION_METRICS, METRICS, Metric
from saltus.evaluation.moments import frechet_distance, kernel_distance, vendi_score
from saltus.evaluation.neighbours import Fidelity, Memorisation, fidelity, memorisation, nearest_distances, neighbour_radii
from saltus.evaluation.pictures import draw_costs, draw_levels, draw_maps, draw_rows, grid_image, save_grid
from saltus.evaluation.report import THIRDS, ChainSampler, Report, Result, Sampler, drawn_conditions, evaluate, evaluate_items
from saltus.evaluation.two_sample import two_sample_accuracy

__all__ = [
    "CHOICE_ITEMS",
    "CHOICE_SEED",
    "DEFAULT_METRICS",
    "FEATURE_METRICS",
    "GAUSSIAN",
    "INCEPTION_METRICS",
    "LEVEL_METRICS",
    "METRICS",
    "MIXTURE",
    "MOST_ITEMS",
    "TEMPERATURES",
    "THIRDS",
    "ChainSampler",
    "Classification",
    "ClosedForm",
    "Collapse",
    "Evaluator",
    "Features",
    "Fidelity",
    "Figures",
    "LatentUse",
    "LevelFigures",
    "Likelihood",
    "Memorisation",
    "Metric",
    "Report",
    "Result",
    "Sampler",
    "Step",
    "bound_beside",
    "by_level",
    "choose_sampling",
    "chosen_by",
    "classification_accuracy",
    "closed_forms",
    "closed_oracles",
    "closed_samples",
    "decoder_path",
    "diversity",
    "draw_by_level",
    "draw_costs",
    "draw_levels",
    "draw_maps",
    "draw_rows",
    "drawn_conditions",
    "energy_distance",
    "evaluate",
    "evaluate_items",
    "exact_decoder_path",
    "features_for",
    "fidelity",
    "fitted_gaussian",
    "frechet_distance",
    "grid_image",
    "inception_features",
    "inception_network",
    "keep_sampling",
    "kernel_distance",
    "latent_use",
    "likelihood",
    "mean_distance",
    "mean_pairwise_distance",
    "measurable",
    "measure_collapse",
    "memorisation",
    "multiply_adds",
    "nearest_distances",
    "neighbour_radii",
    "pair_growth",
    "remarks",
    "save_grid",
    "sliced_wasserstein",
    "small_growth",
    "spread",
    "start_mixture",
    "takes_gaussian",
    "two_sample_accuracy",
    "vendi_score",
    "words_of",
]
