"""The one training loop: its budget, its step and schedule, what it works on, and its checkpoints."""
