"""How TensorFlow runs a problem: the four modes (`modes`), a time axis found, a float64 copy made (`float64_twin`)."""
