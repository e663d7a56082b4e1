"""What bench/compare is made of: machine, contestants, load, figures, and how they are shown."""
