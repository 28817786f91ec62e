"""int8 with images: ranges, the guard over accuracy, and what to do where it is lost."""
