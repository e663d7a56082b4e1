"""The parts of bench/compare: machine, contestants, load, figures, and how they are shown."""
