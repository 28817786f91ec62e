"""NetAdapt: a network brought to a tighter budget."""
