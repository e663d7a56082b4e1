"""What bench/compare is made of: the machine, the contestants, the load, the figures, and how they are shown."""
