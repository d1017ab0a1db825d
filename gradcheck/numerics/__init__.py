"""Numerical differentiation with error bounds, and what follows from it for a theoretical gradient.

NumPy only; nothing here knows TensorFlow. `compare` is the whole method for one Jacobian; the parts are for
engines that evaluate the points themselves. docs/numerics.md explains the method and shows what was measured.
"""

from gradcheck.numerics.driver import compare as compare
from gradcheck.numerics.driver import concatenate_refined as concatenate_refined
from gradcheck.numerics.driver import typical_slope as typical_slope
from gradcheck.numerics.first_look import Estimate as Estimate
from gradcheck.numerics.first_look import screen as screen
from gradcheck.numerics.judging import SAFETY as SAFETY
from gradcheck.numerics.judging import Judgement as Judgement
from gradcheck.numerics.judging import Status as Status
from gradcheck.numerics.judging import default_resolution_limit as default_resolution_limit
from gradcheck.numerics.judging import judge as judge
from gradcheck.numerics.judging import passes_screen as passes_screen
from gradcheck.numerics.ladder import Kind as Kind
from gradcheck.numerics.ladder import Refined as Refined
from gradcheck.numerics.ladder import refine as refine
from gradcheck.numerics.noise import measured_eps as measured_eps
from gradcheck.numerics.noise import noise_level as noise_level
from gradcheck.numerics.noise import noise_points as noise_points
from gradcheck.numerics.noise import roughness as roughness
from gradcheck.numerics.noise import rounding_eps as rounding_eps
from gradcheck.numerics.noise import rounding_noise as rounding_noise
from gradcheck.numerics.steps import FLOAT64_EPS as FLOAT64_EPS
from gradcheck.numerics.steps import refine_steps as refine_steps
from gradcheck.numerics.steps import screen_steps as screen_steps
