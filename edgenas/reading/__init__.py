"""Reading what comes from outside: files, YAML, JSON, and documents as typed values. One reader for every room."""
