"""Reading input from outside: files, YAML, JSON, and documents as typed values. Every package uses these readers."""
