"""From measured networks to times of units."""
