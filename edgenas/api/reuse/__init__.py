"""Reuse of finished results: refining, scaling, specialising for a device, transferring to other images."""
