"""How the pair of Jacobians is computed: see the modules of this package."""
