"""The sections of a configuration: what each may say, its defaults and its limits."""
