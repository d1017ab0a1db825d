"""Numerical differentiation with error bounds, and what follows from it for a theoretical gradient.

NumPy only; nothing here knows TensorFlow. `compare` is the whole method for one Jacobian. It serves what has no exact
reference: operations and subjects that cannot be interpreted, and ``engine="measured"``. A slope is accepted only where
step sizes agree; corners, ties and quantised functions are left undecided where a gradient does not fit them.
"""

from gradcheck.numerics.comparison import compare as compare
from gradcheck.numerics.comparison import typical_slope as typical_slope
from gradcheck.numerics.judgement import SAFETY as SAFETY
from gradcheck.numerics.judgement import Judgement as Judgement
from gradcheck.numerics.judgement import Measured as Measured
from gradcheck.numerics.judgement import Status as Status
from gradcheck.numerics.judgement import default_resolution_limit as default_resolution_limit
from gradcheck.numerics.judgement import excused as excused
from gradcheck.numerics.judgement import judge as judge
from gradcheck.numerics.judgement import passes_screen as passes_screen
from gradcheck.numerics.ladder import Kind as Kind
from gradcheck.numerics.ladder import Refined as Refined
from gradcheck.numerics.ladder import refine as refine
from gradcheck.numerics.noise import measured_eps as measured_eps
from gradcheck.numerics.noise import noise_level as noise_level
from gradcheck.numerics.noise import noise_points as noise_points
from gradcheck.numerics.noise import roughness as roughness
from gradcheck.numerics.noise import rounding_eps as rounding_eps
from gradcheck.numerics.screening import Estimate as Estimate
from gradcheck.numerics.screening import screen as screen
from gradcheck.numerics.steps import FLOAT64_EPS as FLOAT64_EPS
from gradcheck.numerics.steps import refine_steps as refine_steps
from gradcheck.numerics.steps import screen_steps as screen_steps
