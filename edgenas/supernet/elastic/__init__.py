"""Shared weights as once-for-all shares them: sorted channels and learned kernels (Cai 2020)."""
