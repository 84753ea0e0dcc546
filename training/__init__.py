"""How a model comes to be: a matrix goes in, a judged candidate comes out.

What belongs here: recipe, split by time, cleaning, fitting, calibration, evaluation on planted deviations, drift,
the decision to promote, feedback. It runs on any matrix, public benchmarks included.
What does not: where windows come from, where models are kept, and what time it is (`anomaly`).
To add a step: one file with one function, called in `run.py` at its place, and its line on the card.
"""

from training.feedback import Reviewed, Taught
from training.matrix import Matrix
from training.recipe import RECIPES, Recipe
from training.run import Candidate, run

__all__ = ["RECIPES", "Candidate", "Matrix", "Recipe", "Reviewed", "Taught", "run"]
