"""What is there already, used again: refined, scaled, specialised for a device, transferred to other images."""
